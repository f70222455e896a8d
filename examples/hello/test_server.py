"""Tests of the application, run inside each release's snapshot before it is deployed."""

from __future__ import annotations

import http.client
import json
import threading
import unittest

from server import Server


class ServerTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server = Server(("127.0.0.1", 0))
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)

    def tearDown(self) -> None:
        self.client.close()
        self.server.finish()

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        self.client.request("GET", path)
        answer = self.client.getresponse()
        return answer.status, json.load(answer)

    def test_health_on_one_connection(self) -> None:
        self.assertEqual(self.get("/health"), (200, {"status": "ok"}))
        first = self.client.sock
        self.assertEqual(self.get("/health"), (200, {"status": "ok"}))
        self.assertIs(self.client.sock, first, "the connection was not kept alive")

    def test_says_its_release(self) -> None:
        status, body = self.get("/")
        self.assertEqual(status, 200)
        self.assertIn("release", body)

    def test_unknown_path(self) -> None:
        self.assertEqual(self.get("/nothing")[0], 404)

    def test_begun_request_is_answered_at_the_end(self) -> None:
        self.get("/health")
        self.client.putrequest("GET", "/health")  # nothing of it is sent before endheaders
        self.client.endheaders()
        self.server.finish()
        self.assertEqual(self.client.getresponse().status, 200)


if __name__ == "__main__":
    unittest.main()
