"""Ask the deployed Datasette for its version and for one answer of its database. Exit code 0: both are right."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any


def get(path: str) -> Any:
    """The JSON at ``path`` of the application under test."""
    with urllib.request.urlopen(os.environ["OSPEC_URL"].rstrip("/") + path, timeout=10) as answer:
        return json.load(answer)


def main() -> int:
    """Expect the version that requirements.txt pins, and the largest moon."""
    wanted = Path(__file__).with_name("requirements.txt").read_text().strip().partition("==")[2]
    found = get("/-/versions.json")["datasette"]["version"]
    largest = get("/planets/moons.json?_shape=array&_sort_desc=diameter_km&_size=1")[0]["name"]
    print(f"Datasette {found}, expected {wanted}; the largest moon is {largest}")
    return 0 if (found, largest) == (wanted, "Ganymede") else 1


if __name__ == "__main__":
    sys.exit(main())
