"""Finding a run of the document's service by the beginning of its id, and the environment it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click
from attrs import evolve

from ospec.errors import OspecError, RefusedError

if TYPE_CHECKING:
    from ospec.models.registration import Store
    from ospec.models.run import Record, RunHeader
    from ospec.project import Choice

_ANY_NUMBER = 1_000_000

all_option = click.option("--all", "every", is_flag=True, help="Runs of other services that share the state, too.")


@contextmanager
def journal(given: Choice) -> Iterator[tuple[str, Store]]:
    """The document's service and the store of its runs, closed afterwards."""
    from ospec.project import open_journal

    service, store = open_journal(given)
    try:
        yield service, store
    finally:
        store.close()


def find_run(store: Store, run: str, service: str | None) -> RunHeader:
    """The run whose id begins so; of `service` alone, where one is given.

    Raises:
        RefusedError: there is none, or more than one (``unknown-run``).
    """
    if service is None:
        return store.header(run)
    found = [one for one in store.runs(service=service, limit=_ANY_NUMBER) if one.run.startswith(run)]
    exact = [one for one in found if one.run == run] or found
    if len(exact) == 1:
        return exact[0]
    hints = ["list the runs: ospec history"]
    if not found:
        with suppress(OspecError):
            hints.append(f"it is a run of {store.header(run).service}: name that document with -f FILE")
    raise RefusedError(
        f"more than one run of {service} starts with {run!r}" if found else f"{service} has no run {run!r}",
        code="unknown-run",
        hints=hints,
    )


def records_of(given: Choice, run: str | None, every: bool) -> tuple[RunHeader, list[Record]]:
    """A run of the document's service (of any, with `every`) and its journal; without `run` the newest.

    Raises:
        RefusedError: there is none (``no-runs``, ``unknown-run``).
    """
    with journal(given) as (mine, store):
        service = None if every else mine
        headers = [find_run(store, run, service)] if run else store.runs(service=service, limit=1)
        if not headers:
            raise RefusedError("there is no run yet", code="no-runs", hints=("deploy: ospec run deploy",))
        return headers[0], store.records(headers[0].run)


def choice_of_run(given: Choice, run: str | None) -> tuple[Choice, str | None]:
    """The choice with the environment of a run that was named, and that run's whole id.

    Raises:
        RefusedError: it is unknown, or has ended.
    """
    if run is None:
        return given, None
    with journal(given) as (service, store):
        header = find_run(store, run, service)
    if header.outcome is not None:
        raise RefusedError(
            f"run {header.run} has ended: {header.outcome}", code="run-finished", hints=(f"ospec show {header.run}",)
        )
    environment = None if header.environment == "default" else header.environment
    return evolve(given, environment=environment), header.run
