"""One POST: what answers mean, proxies, certificates, redirects, and that nothing secret is told."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import traceback
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from ospec.errors import FatalError, OspecError, RetryableError
from ospec.posting import post, retry_after
from ospec.testing.receiver import Answer, Receiver

CANARY = "canary-7f3a21"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def refused(url: str, **given: Any) -> OspecError:
    with pytest.raises(OspecError) as caught:
        post(url, CANARY.encode(), {"X-Key": CANARY}, **given)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__) + repr(caught.value)
    hidden = [line for line in told.splitlines() if "CANARY" not in line]  # the lines of this test's own code
    assert CANARY not in "\n".join(hidden)
    assert CANARY not in str(caught.value) + str(caught.value.hints)
    return caught.value


def test_it_posts_and_gives_the_answer() -> None:
    with Receiver(Answer(201, body=b"made")) as receiver:
        answer = post(f"{receiver.url}/a?b=c", b"{}", {"Content-Type": "application/json", "X-Key": "k"})
    assert (answer.status, answer.body) == (201, b"made")
    [one] = receiver.received
    assert (one.method, one.path, one.body) == ("POST", "/a?b=c", b"{}")
    assert one.headers["content-type"] == "application/json"
    assert one.headers["x-key"] == "k"
    assert one.headers["user-agent"] == "ospec"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_retryable_with_the_receivers_time(status: int) -> None:
    with Receiver(Answer(status, {"Retry-After": "7"})) as receiver:
        error = refused(f"{receiver.url}/{CANARY}")
    assert isinstance(error, RetryableError)
    assert error.retry_after == 7
    assert error.message == f"the receiver answered {status}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
def test_what_will_not_pass_is_fatal_with_the_receivers_reason(status: int) -> None:
    with Receiver(Answer(status, body=b"no_service")) as receiver:
        error = refused(f"{receiver.url}/{CANARY}", explain=lambda body: body.decode())
    assert isinstance(error, FatalError)
    assert error.message == f"the receiver answered {status}: no_service"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Receiver() as other, Receiver(Answer(status, {"Location": f"{other.url}/{CANARY}"})) as receiver:
        error = refused(f"{receiver.url}/{CANARY}")
    assert isinstance(error, FatalError)
    assert "redirects are not followed" in error.message
    assert other.received == [], "the secret stays with the receiver that was named"


def test_a_closed_connection_and_nobody_there_are_retryable() -> None:
    with Receiver(Answer(closes=True)) as receiver:
        assert isinstance(refused(f"{receiver.url}/{CANARY}"), RetryableError)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = refused(f"http://127.0.0.1:{free.getsockname()[1]}/{CANARY}")
    assert isinstance(error, RetryableError)
    assert error.message == "nobody answered: Connection refused"


def test_a_slow_receiver_is_given_up() -> None:
    late = threading.Event()
    with Receiver(Answer(after=late)) as receiver:
        error = refused(f"{receiver.url}/{CANARY}", seconds=0.2)
        late.set()
    assert isinstance(error, RetryableError)
    assert error.message == "nobody answered: it took too long"


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://127.0.0.1/{CANARY}",
        f"file:///{CANARY}",
        f"{CANARY}",
        "",
        f"http://127.0.0.1:{CANARY}/",
        f"http://127.0.0.1/{CANARY} x\n",
        f"http://[{CANARY}/",
        f"http://127.0.0.1/{CANARY}\u00e9",
    ],
)
def test_what_is_no_url_is_told_without_it(url: str) -> None:
    assert isinstance(refused(url), FatalError)


def test_a_header_that_would_be_two_is_refused() -> None:
    with Receiver() as receiver, pytest.raises(FatalError):
        post(receiver.url, b"", {"X-Key": "a\r\nX-Other: b"})
    assert receiver.received == []


def test_user_and_password_of_a_url_are_sent_as_such() -> None:
    with Receiver() as receiver:
        post(receiver.url.replace("://", "://me:p%40ss@"), b"", {})
    assert receiver.received[0].headers["authorization"] == "Basic bWU6cEBzcw=="


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy, Receiver() as receiver:
        monkeypatch.setenv("http_proxy", proxy.url)
        post("http://hooks.invalid/x", b"{}", {})
        assert proxy.received[0].path == "http://hooks.invalid/x"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        post(receiver.url, b"{}", {})
        assert len(proxy.received) == 1
        assert len(receiver.received) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody knows, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "cert.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def test_certificates_are_verified(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def tls(plain: socket.socket) -> socket.socket:
        return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)

    with Receiver(tls=tls) as receiver:
        error = refused(f"{receiver.url}/{CANARY}")
        assert "certificate" in error.message.lower()
        assert receiver.received == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        assert post(f"{receiver.url}/x", b"{}", {}).status == 200


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("30", 0.0) == 30
    assert retry_after(" 5 ", 0.0) == 5
    assert retry_after(formatdate(1_000_060, usegmt=True), 1_000_000.0) == 60
    assert retry_after(formatdate(1_000_000, usegmt=True), 1_000_060.0) == 0
    for nothing in (None, "", "soon", "-5", "1.5", "９"):
        assert retry_after(nothing, 0.0) in (0.0, 9.0)
