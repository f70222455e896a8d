"""The state folder of a document, and the store that is kept there or elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from ospec.errors import OspecError, RefusedError
from ospec.host.registry import Registry
from ospec.models.registration import Platform, Store
from ospec.models.target import Target
from ospec.stages.load import Loaded


def home_of(root: Path) -> Path:
    """The state folder of a document: OSPEC_HOME, or ``.ospec`` beside it."""
    given = os.environ.get("OSPEC_HOME")
    return Path(given).expanduser().absolute() if given else root / ".ospec"


def make_home(home: Path) -> None:
    """Make the state folder, for its owner alone and out of git's sight."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise OspecError(
            f"cannot make the state folder {home}: {error.strerror}",
            code="store-broken",
            hints=("make its parent folder writable for you, or set OSPEC_HOME to a folder that is",),
        ) from error


def open_store(
    loaded: Loaded, target: Target, registry: Registry, platform: Platform, home: Path, *, make: bool = True
) -> Store:
    """The store that the document, or else the platform, names; without `make` a folder without one is refused."""
    settings = dict(target.extra.get("state") or {})
    name = str(settings.pop("store", platform.default_store))
    kind = registry.stores.get(name)
    if kind is None:
        raise RefusedError(
            f"nothing installed brings the store {name!r}; known: {', '.join(sorted(registry.stores))}",
            code="unknown-store",
            where=loaded.locate("state.store"),
            hints=(f"pip install ospec-plugin-{name}, and put it into plugins.enabled",),
        )
    if name == "sqlite" and not make and not (home / "journal.sqlite").exists():
        raise RefusedError(
            f"there is no run in {home} yet",
            code="no-runs",
            hints=("deploy: ospec run deploy", "or name the document: -f FILE"),
        )
    make_home(home)
    return kind.open(home, settings)
