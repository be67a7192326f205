"""Starting the peers: the pynsq echo, a Redis server, a Celery worker. Each is ended by its process id."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nsq_servers import Nsqd, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
_READY_SECONDS = 20.0


def celery_missing() -> str | None:
    """Why there is no Celery peer here; None when there can be one."""
    absent = [name for name in ("celery", "redis") if importlib.util.find_spec(name) is None]
    if absent:
        return f"Celery is left out: {', '.join(absent)} not installed (make bench installs them)"
    if shutil.which("redis-server") is None:
        return "Celery is left out: there is no redis-server (Debian: apt-get install redis-server)"
    return None


@contextmanager
def pynsq_echo(
    folder: Path, nsqd: Nsqd, commands: str, results: str, max_in_flight: int, finish: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The bare pynsq echo, from its start on; it may not be connected yet."""
    words = (nsqd.tcp_address, commands, results, str(max_in_flight), finish)
    with _child(folder, "pynsq_echo", (sys.executable, "-m", "benchmarks.peers.pynsq_echo", *words)) as child:
        yield child


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis without persistence, the quickest there is; its URL."""
    port = free_port()
    words = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder))
    with _child(folder, "redis", (shutil.which("redis-server") or "redis-server", *words)):
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                break
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def celery_worker(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker with the solo pool, without the chatter between workers."""
    words = ("-A", "benchmarks.peers.celery_echo", "-b", url, "--result-backend", url, "worker", "-P", "solo")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning")
    with _child(folder, "celery", (sys.executable, "-m", "celery", *words, *quiet)) as child:
        yield child


@contextmanager
def _child(folder: Path, name: str, argv: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY)
    try:
        yield child
        if child.poll() is not None:
            raise RuntimeError(f"{name} ended by itself:\n{(folder / f'{name}.log').read_text()[-2000:]}")
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
