"""The console script: listens to signals before anything else is imported, which takes a moment."""

from __future__ import annotations

import sys

from ospec.cli.interrupts import listen


def main() -> None:
    """Run the command that the arguments name."""
    try:
        listen()
        from ospec.cli.main import main as run
    except KeyboardInterrupt:
        print("not done; nothing was touched", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
