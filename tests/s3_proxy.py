"""A proxy in front of an S3 server that does harm on purpose: what a network, a balancer or a broken store would do."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

ERROR = b"<?xml version='1.0'?><Error><Code>%b</Code><Message>made up</Message></Error>"
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Harm:
    """What happens to requests that match, ``times`` times after ``skip`` of them went well.

    ``kind``: drop (no answer, connection closed), drop_late (carried out, no answer), stall (no answer until the proxy
    ends), stall_body (half of the body, then silence), error (``status``), truncate (half of the body, then closed),
    flip (one bit of the body turned), flip_request (one bit of what is sent turned), etag (another ETag), ok_error (200
    with an error in the body, not carried out), cut_off_error (carried out, then a 500).
    """

    kind: str
    method: str = "GET"
    path: str = ""
    query: str = ""
    times: int = 1_000_000
    skip: int = 0
    status: int = 500
    seen: int = 0
    done: int = 0

    def matches(self, method: str, target: str) -> bool:
        """Whether it is this one's turn; counts."""
        url = urlsplit(target)
        if method != self.method or self.path not in url.path or self.query not in url.query:
            return False
        self.seen += 1
        if self.seen <= self.skip or self.done >= self.times:
            return False
        self.done += 1
        return True


@dataclass
class Answer:
    """What goes back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    after_body: Callable[[], None] | None = None
    sent_bytes: int | None = None


class FaultProxy:
    """Forwards everything to ``upstream`` unless a harm matches; requests are counted in ``requests``.

    With ``certificate``, a folder with ca.pem and key.pem, it speaks TLS.
    """

    def __init__(self, upstream: str, certificate: Path | None = None) -> None:
        self._upstream = urlsplit(upstream).netloc
        self._harms: list[Harm] = []
        self._lock = threading.Lock()
        self._ranges: list[tuple[str, str]] = []
        self.requests: list[tuple[str, str]] = []
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._scheme = "http"
        if certificate is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def harm(self, kind: str, method: str = "GET", **more: Any) -> Harm:
        """One more harm; the first that matches counts."""
        made = Harm(kind, method, **more)
        with self._lock:
            self._harms.append(made)
        return made

    def heal(self) -> None:
        """No harm from now on."""
        with self._lock:
            self._harms.clear()

    def hang_up(self) -> None:
        """Close what stalls now; a harm that is still there stalls others."""
        self.ended.set()
        self.ended = threading.Event()

    def count(self, method: str, within: str = "") -> int:
        """How many such requests came."""
        with self._lock:
            return sum(1 for each, target in self.requests if each == method and within in target)

    def ranges(self, within: str) -> list[str]:
        """The ranges that were asked for, in order."""
        with self._lock:
            return [asked for asked, target in self._ranges if within in target]

    def turn(self, method: str, target: str, asked: str | None) -> Harm | None:
        """The harm for a request."""
        with self._lock:
            self.requests.append((method, target))
            if asked:
                self._ranges.append((asked, target))
            return next((harm for harm in self._harms if harm.matches(method, target)), None)

    def forward(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Ask the real server."""
        line = http.client.HTTPConnection(self._upstream, timeout=60)
        try:
            line.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                line.putheader(name, value)
            line.endheaders(body)
            answer = line.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            line.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is none."""


@dataclass
class _Turned:
    at: float = field(default=0.5)

    def of(self, body: bytes) -> bytes:
        place = int(len(body) * self.at)
        return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :] if body else body


def _harmed(proxy: FaultProxy, harm: Harm, ask: Callable[[bytes], Answer], body: bytes) -> Answer | None:
    """The answer after the harm; None closes the connection."""
    code = {500: b"InternalError", 503: b"SlowDown", 403: b"AccessDenied"}.get(harm.status, b"Odd")
    if harm.kind == "stall":
        proxy.ended.wait()
    if harm.kind in ("drop", "stall"):
        return None
    if harm.kind in ("error", "ok_error"):
        status = 200 if harm.kind == "ok_error" else harm.status
        return Answer(status, [("Content-Type", "application/xml")], ERROR % code)
    answer = ask(_Turned().of(body) if harm.kind == "flip_request" else body)
    if harm.kind == "drop_late":
        return None
    if harm.kind == "cut_off_error":
        return Answer(harm.status, [("Content-Type", "application/xml")], ERROR % code)
    if harm.kind == "flip":
        answer.body = _Turned().of(answer.body)
    if harm.kind == "etag":
        answer.headers = [(n, f'"{"0" * 32}"' if n.lower() == "etag" else v) for n, v in answer.headers]
    if harm.kind in ("truncate", "stall_body"):
        answer.sent_bytes = len(answer.body) // 2
    if harm.kind == "stall_body":
        answer.after_body = lambda: proxy.ended.wait() and None
    return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultProxy

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        harm = self.proxy.turn(self.command, self.path, self.headers.get("Range"))

        def ask(content: bytes) -> Answer:
            return self.proxy.forward(self.command, self.path, dict(self.headers.items()), content)

        answer = ask(body) if harm is None else _harmed(self.proxy, harm, ask, body)
        if answer is None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.reply(answer)

    def reply(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.sent_bytes])
        if answer.after_body is not None:
            answer.after_body()
        if answer.sent_bytes is not None:
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nothing on the terminal."""


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"proxy": proxy})
