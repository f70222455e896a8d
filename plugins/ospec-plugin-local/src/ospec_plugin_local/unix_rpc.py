"""XML-RPC over a unix socket, a connection for each call."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

_SECONDS = 10.0
_SHUTTING_DOWN = 6


def server(path: Path) -> xmlrpc.client.ServerProxy:
    """The server that listens at the socket `path`; see `call`."""
    return xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(path))


def call(asked: xmlrpc.client.ServerProxy, method: str, *arguments: Any) -> Any:
    """Call a method.

    Raises:
        OSError: nobody listens there, or one that is about to end.
        xmlrpc.client.Fault: it refuses.
    """
    try:
        return getattr(asked, method)(*arguments)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == _SHUTTING_DOWN:
            raise ConnectionError("it is shutting down") from fault
        raise
    except (http.client.HTTPException, xmlrpc.client.Error, ExpatError) as error:
        raise ConnectionError(str(error)) from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except OSError:
            self.close()
            raise


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        made = _UnixConnection(self._path)
        self._connection = host, made
        return made

    def single_request(self, host: Any, handler: str, request_body: Any, verbose: bool = False) -> Any:
        try:
            return super().single_request(host, handler, request_body, verbose)
        finally:
            self.close()  # the connection
