"""Where the platform keeps one service of one environment: files in the state folder, sockets in a short path."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen
from ospec.errors import FatalError
from ospec.models.target import Target
from ospec.naming import digest

_RUNTIME_BASE = Path("/tmp")  # noqa: S108 (XDG_RUNTIME_DIR goes away at logout, and TMPDIR may be too long for a socket)
_NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)


@frozen
class Place:
    """The folders of one service in one environment."""

    root: Path
    """In the state folder: ``local/<service>.<environment>``."""

    @property
    def state(self) -> Path:
        """What should run; the platform's own memory."""
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        """Held (flock) while the platform changes something."""
        return self.root / "lock"

    @property
    def supervisor_conf(self) -> Path:
        return self.root / "supervisord.conf"

    @property
    def programs(self) -> Path:
        """One JSON file for each program: what its launcher starts."""
        return self.root / "programs"

    @property
    def run(self) -> Path:
        """One JSON file for each program: who it is now."""
        return self.root / "run"

    def well(self, program: str) -> Path:
        """Which life of a program was found well last."""
        return self.run / f"{program}.well"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def envoy(self) -> Path:
        return self.root / "envoy"

    @property
    def routes(self) -> Path:
        """The folder Envoy watches."""
        return self.envoy / "xds"

    @property
    def runtime(self) -> Path:
        """The folder of the sockets, whose paths may not be longer than about 100 characters."""
        name = digest(str(self.root.resolve()))[:16]
        return _RUNTIME_BASE / f"ospec-{os.getuid()}" / name

    @property
    def supervisor_socket(self) -> Path:
        return self.runtime / "supervisor.sock"

    @property
    def admin_socket(self) -> Path:
        """Envoy's administration, which asks for no password."""
        return self.runtime / "envoy.sock"

    @property
    def keeper_socket(self) -> Path:
        return self.runtime / "keeper.sock"

    def make(self) -> None:
        """Make what is missing; raise `FatalError` where a folder is not ours alone."""
        with writing():
            for folder in (self.root, self.programs, self.run, self.logs, self.routes, self.envoy / "stage"):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.runtime.parent, self.runtime):
                folder.mkdir(exist_ok=True, mode=0o700)
        for folder in (self.runtime.parent, self.runtime):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
                raise FatalError(
                    f"{folder} belongs to somebody else or is open to others: sockets there would not be safe",
                    code="unsafe-folder",
                    where="local",
                    hints=(f"remove {folder}, then try again",),
                )


@contextmanager
def writing() -> Iterator[None]:
    """Turn what a full or protected disk does into a `FatalError` (``state-not-writable``)."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise FatalError(
            f"cannot write {error.filename or 'to the state folder'}: {error.strerror}",
            code="state-not-writable",
            where="local",
            hints=("make room on the disk, or give yourself the right to write there",),
        ) from error


def place_of(home: Path, target: Target) -> Place:
    """The place of a target below the state folder `home`."""
    return Place(home / "local" / f"{target.service}.{target.environment}")
