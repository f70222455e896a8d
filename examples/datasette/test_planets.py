"""Tests of the release, run with its own Datasette and its own database before it is deployed."""

from __future__ import annotations

import asyncio
import unittest
from pathlib import Path
from typing import Any

from datasette.app import Datasette


class PlanetsTest(unittest.TestCase):
    def get(self, path: str) -> Any:
        application = Datasette(immutables=[str(Path(__file__).with_name("planets.db"))])
        answer = asyncio.run(application.client.get(path))
        self.assertEqual(answer.status_code, 200)
        return answer.json()

    def test_every_moon_has_its_planet(self) -> None:
        rows = self.get(
            "/planets.json?_shape=array&sql=select+count(*)+as+n+from+moons+join+planets+on+planet=planets.name"
        )
        self.assertEqual(rows, [{"n": 15}])

    def test_serves_its_own_version(self) -> None:
        pinned = Path(__file__).with_name("requirements.txt").read_text().strip()
        self.assertEqual("datasette==" + self.get("/-/versions.json")["datasette"]["version"], pinned)


if __name__ == "__main__":
    unittest.main()
