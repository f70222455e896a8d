"""Make a virtual environment that has pip, also where Python comes without ensurepip (Debian, Ubuntu).

Usage: python3 tools/make_venv.py FOLDER
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import venv
from pathlib import Path


def make(folder: Path) -> None:
    """Create ``folder``, or complete it; an environment that has pip already is left as it is."""
    if importlib.util.find_spec("ensurepip"):
        venv.create(folder, with_pip=True)
        return
    # The environment's pip is put there by this interpreter's own pip, which must then exist.
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/python3*/site-packages"))
    if not (packages / "pip").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages), "pip"]
        subprocess.run(pip, check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make(Path(sys.argv[1]))
