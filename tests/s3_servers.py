"""A real S3 server as a child, once for all tests of a session, and a proxy in front of it that does harm on purpose.

PYTEST_DONT_REWRITE. As a pytest plug-in (``pytest_plugins = ["s3_servers"]``) it brings the fixtures ``weed``,
``account``, ``bucket`` and ``proxy``; without pytest it serves benchmarks and demos.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
from memory_disk import memory_disk
from s3_proxy import FaultProxy
from slowness import SLOWNESS

from chunter_nsq.errors import Fault
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.s3 import Line, asking
from chunter_nsq.storage.stop import Stop
from tools import weed

ACCESS_KEY, SECRET_KEY = weed.ACCESS_KEY, weed.SECRET_KEY
READY_SECONDS = 60.0 * SLOWNESS
STOP_SECONDS = 10.0 * SLOWNESS
_POLL_SECONDS = 0.1
_MADE_BEFORE = ("BucketAlreadyExists", "BucketAlreadyOwnedByYou")  # by a server that was killed since


class Weed:
    """SeaweedFS with its S3 door; it keeps its ports and data through restarts."""

    def __init__(self, data_path: Path) -> None:
        self.data_path = data_path
        self.ports = weed.free_ports()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """The URL of the S3 door."""
        return f"http://127.0.0.1:{self.ports[3]}"

    @property
    def account(self) -> Account:
        """Its owner; the bucket's name is for the caller to choose."""
        return Account(endpoint=self.endpoint, bucket="none", access_key=ACCESS_KEY, secret_key=SECRET_KEY)

    def start(self) -> Self:
        """Start the program and return when it takes a bucket."""
        argv = [weed.program(), *weed.arguments(self.data_path, self.ports)]
        with (self.data_path / "weed.log").open("ab") as output:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **weed.ENVIRONMENT}
            )
        self._await_ready()
        return self

    def stop(self) -> None:
        """End it, hard: the data are thrown away."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_SECONDS)
            weed.remove_sockets(self.ports)

    def new_bucket(self) -> Account:
        """An account on a bucket that nobody else uses."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        account = replace(self.account, bucket=name)
        make_bucket(account)
        prime(account)
        return account

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                make_bucket(replace(self.account, bucket="ready", connect_seconds=1, silence_seconds=5 * SLOWNESS))
            except Fault as fault:
                if fault.details.get("code") in _MADE_BEFORE:
                    return
                time.sleep(_POLL_SECONDS)
            else:
                return
        self.stop()
        raise RuntimeError(f"weed did not get ready:\n{(self.data_path / 'weed.log').read_text()[-2000:]}")


def make_bucket(account: Account) -> None:
    """Create the account's bucket; no use of the library makes one."""
    line = Line(account, 2)
    try:
        with asking("make a bucket"):
            line.client.create_bucket(Bucket=account.bucket)
    finally:
        line.close()


def prime(account: Account) -> None:
    """Have room made for a new bucket's objects, which on a busy machine the first request does not wait for."""
    made = Bucket(account)
    try:
        with Stop() as stop:
            Patience(READY_SECONDS, 0.05, 0.2).attempt(lambda: made.put("first", b"first"), stop, "prime the bucket")
            made.delete("first")
    finally:
        made.close()


@pytest.fixture(scope="session", name="weed")
def _weed() -> Iterator[Weed]:
    """A real S3 server, in memory where there is some."""
    with tempfile.TemporaryDirectory(prefix="weed-", dir=memory_disk()) as place:
        server = Weed(Path(place)).start()
        yield server
        server.stop()


@pytest.fixture
def account(weed: Weed, request: pytest.FixtureRequest) -> Account:
    """A bucket of one's own; beside a host that is shared it is that host's."""
    if "shared_account" in request.fixturenames:
        return request.getfixturevalue("shared_account")
    return weed.new_bucket()


@pytest.fixture(scope="module")
def shared_account(weed: Weed) -> Account:
    """A bucket for hosts that are shared."""
    return weed.new_bucket()


@pytest.fixture
def bucket(account: Account) -> Iterator[Bucket]:
    """Straight to the server."""
    made = Bucket(account)
    yield made
    made.close()


@pytest.fixture
def proxy(account: Account) -> Iterator[FaultProxy]:
    """A proxy in front of the server."""
    with FaultProxy(account.endpoint) as one:
        yield one


@pytest.fixture
def harmed(account: Account, proxy: FaultProxy) -> Iterator[Bucket]:
    """The same bucket through the proxy, with short time limits."""
    made = Bucket(replace(account, endpoint=proxy.endpoint, connect_seconds=2, silence_seconds=2))
    yield made
    made.close()
