"""Write planets.db from planets.sql. Part of the build: each release has its own database, which only is read."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Write the database anew, also where an interrupted build left one."""
    database = HERE / "planets.db"
    database.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript((HERE / "planets.sql").read_text())


if __name__ == "__main__":
    main()
