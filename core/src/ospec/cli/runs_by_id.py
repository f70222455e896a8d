"""Finding a run by the beginning of its id, and the environment it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ospec.errors import RefusedError

if TYPE_CHECKING:
    from ospec.models.registration import Store
    from ospec.project import Choice


def journal(given: Choice) -> Store:
    """The journal beside the document, without loading any plugin.

    Raises:
        RefusedError: there is none yet (``no-runs``).
    """
    from pathlib import Path

    from ospec.project import home_of
    from ospec.stages.load import find_document
    from ospec.stores.sqlite import open_sqlite

    home = home_of(find_document(given.file, Path.cwd()).absolute().parent)
    if not (home / "journal.sqlite").exists():
        raise RefusedError(
            f"there is no run in {home} yet",
            code="no-runs",
            hints=("deploy: ospec run deploy", "or name the document: -f FILE"),
        )
    return open_sqlite(home, {})


def choice_of_run(given: Choice, run: str | None) -> tuple[Choice, str | None]:
    """The choice with the environment of a run that was named, and that run's whole id.

    Raises:
        RefusedError: it is unknown, or has ended.
    """
    if run is None:
        return given, None
    store = journal(given)
    try:
        header = store.header(run)
    finally:
        store.close()
    if header.outcome is not None:
        raise RefusedError(
            f"run {header.run} has ended: {header.outcome}", code="run-finished", hints=(f"ospec show {header.run}",)
        )
    environment = None if header.environment == "default" else header.environment
    return evolve(given, environment=environment), header.run
