"""Real nsqd and nsqlookupd as children: started on free loopback ports, harmed on purpose, ended by id.

Everything here blocks for the few milliseconds it takes; it is plain Python without pytest, for conftest, benchmarks
and demos.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from slowness import SLOWNESS

TOOLS = Path(__file__).resolve().parents[1] / ".tools" / "bin"
READY_SECONDS = 15.0 * SLOWNESS
STOP_SECONDS = 15.0 * SLOWNESS
_POLL_SECONDS = 0.02


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One child process that answers ``/ping`` on its HTTP port; it keeps its ports through restarts."""

    program = ""

    def __init__(self, data_path: Path, flags: Sequence[str] = (), *, host: str = "127.0.0.1") -> None:
        self.data_path = data_path
        self.flags = tuple(flags)
        self.host = host
        self.tcp_port = free_port()
        self.http_port = free_port()
        self.log_path = data_path / f"{self.program}-{self.tcp_port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def tcp_address(self) -> str:
        """``host:port`` of the protocol."""
        return f"[{self.host}]:{self.tcp_port}" if ":" in self.host else f"{self.host}:{self.tcp_port}"

    @property
    def http_address(self) -> str:
        """``host:port`` of the HTTP door."""
        return f"[{self.host}]:{self.http_port}" if ":" in self.host else f"{self.host}:{self.http_port}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Starts the program and returns when it answers."""
        executable = TOOLS / self.program
        if not executable.exists():
            raise FileNotFoundError(f"{executable} is not there: make setup builds it")
        self.data_path.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as output:
            argv = [str(executable), *self.arguments(), *self.flags]
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._await_ready()
        return self

    def stop(self) -> None:
        """SIGTERM: everything in memory is written to the data path."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: as a crash."""
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        """Starts again after ``stop`` or ``kill``, on the same ports and data (ends it first when it runs)."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """SIGSTOP: the kernel still takes connections and bytes, nobody answers."""
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid or 0, os.WSTOPPED)  # it may run on for a moment

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def get(self, path: str) -> Any:
        """The JSON that the HTTP door answers."""
        with urllib.request.urlopen(f"http://{self.http_address}{path}", timeout=5) as answer:
            return json.load(answer)

    def post(self, path: str, body: bytes = b"") -> None:
        """POST, and any 2xx is fine."""
        url = f"http://{self.http_address}{path}"
        request = urllib.request.Request(url, data=body, method="POST")
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - always http to loopback
            pass

    def arguments(self) -> list[str]:
        """What the program is started with, before ``flags``."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError(f"{self.program} does not run")
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)  # a paused one ends too
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://{self.http_address}/ping", timeout=1):
                    return
            except urllib.error.HTTPError:
                return  # it answers: this door wants TLS
            except OSError:
                time.sleep(_POLL_SECONDS)
        self.kill()
        raise RuntimeError(f"{self.program} did not get ready:\n{self.log_path.read_text(errors='replace')[-2000:]}")


class Nsqlookupd(Server):
    """Tells who has which topic; knows nothing after a restart until nsqd calls again (every 15 s)."""

    program = "nsqlookupd"

    def arguments(self) -> list[str]:
        """Loopback only."""
        return [
            f"--tcp-address={self.tcp_address}",
            f"--http-address={self.http_address}",
            f"--broadcast-address={self.host}",
        ]


class Nsqd(Server):
    """``lookupd`` are those it registers with; ``flags`` are appended (``--mem-queue-size=0``, ``--tls-cert=...``)."""

    program = "nsqd"

    def __init__(
        self, data_path: Path, flags: Sequence[str] = (), *, host: str = "127.0.0.1", lookupd: Sequence[Nsqlookupd] = ()
    ) -> None:
        super().__init__(data_path, flags, host=host)
        self.lookupd = tuple(lookupd)

    def arguments(self) -> list[str]:
        """Loopback only."""
        return [
            f"--tcp-address={self.tcp_address}",
            f"--http-address={self.http_address}",
            f"--broadcast-address={self.host}",
            f"--data-path={self.data_path}",
            "--https-address=127.0.0.1:0",  # used with a certificate only; the default is one port for all
            *(f"--lookupd-tcp-address={each.tcp_address}" for each in self.lookupd),
        ]

    def pub(self, topic: str, body: bytes) -> None:
        """Publishes one message."""
        self.post(f"/pub?topic={quote(topic)}", body)

    def mpub(self, topic: str, bodies: Sequence[bytes]) -> None:
        """Publishes several (without newlines inside)."""
        self.post(f"/mpub?topic={quote(topic)}", b"\n".join(bodies))

    def create(self, topic: str, channel: str) -> None:
        """Makes topic and channel, so that the channel gets all from now on."""
        self.post(f"/topic/create?topic={quote(topic)}")
        self.post(f"/channel/create?topic={quote(topic)}&channel={quote(channel)}")

    def stats(self) -> dict[str, Any]:
        """The whole of ``/stats``."""
        answer: dict[str, Any] = self.get("/stats?format=json")
        return answer

    def topic(self, topic: str) -> Mapping[str, Any]:
        """The topic's part of ``/stats``; empty when it is not there."""
        return next((each for each in self.stats()["topics"] or () if each["topic_name"] == topic), {})

    def channel(self, topic: str, channel: str) -> Mapping[str, Any]:
        """The channel's part of ``/stats``; empty when it is not there."""
        channels = self.topic(topic).get("channels") or ()
        return next((each for each in channels if each["channel_name"] == channel), {})
