"""A WebSocket application: echoes each message with the release that got it."""

from __future__ import annotations

import os
from http import HTTPStatus

from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve


def plain(connection: ServerConnection, request: Request) -> Response | None:
    """Answer what is no WebSocket."""
    return None if request.path == "/echo" else connection.respond(HTTPStatus.OK, "ok\n")


def echo(connection: ServerConnection) -> None:
    """Send every message back."""
    for message in connection:
        connection.send(f"{os.environ['OSPEC_RELEASE']} {message!s}")


with serve(echo, "127.0.0.1", int(os.environ["PORT"]), process_request=plain) as server:
    server.serve_forever()
