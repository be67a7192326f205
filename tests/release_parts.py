"""Releases of this tree under several version names, built once, and simulated hosts that they are installed on.

Test modules import from it and ask for it as a plug-in as well, which pytest allows with the word PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from nsq_servers import Nsqd, free_port

from chunter_nsq.release.state import Updates
from chunter_nsq.smartos import simulator
from chunter_nsq.smartos.simulator import power
from tools.reference.newer import Newer
from tools.release import __main__ as release_tool
from tools.release import signing
from tools.release.archive import Release, build, members
from tools.release.vendor import Members

EPOCH = 1_700_000_000
SERVICE = "svc:/network/chunter:default"


class Workshop:
    """Builds releases; what is the same in all of them is gathered once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "release.key"
        signing.new_key(self.key)
        self._first: Members = members("0.1.0", signing.public(self.key))
        self._built: dict[str, Release] = {}

    def build(self, version: str, **replaced: bytes) -> Release:
        """A release; ``replaced`` are files of its library in place of ours (``chunter_nsq/app.py`` as a keyword)."""
        name = version + "".join(f"{place}{hashlib.sha256(replaced[place]).hexdigest()}" for place in sorted(replaced))
        if name not in self._built:
            found = {**self._first, **{f"lib/{place}": content for place, content in replaced.items()}}
            init = "lib/chunter_nsq/__init__.py"
            found[init] = found[init].replace(b'"0.1.0"', f'"{version}"'.encode())
            self._built[name] = build(version, found, EPOCH, level=1)
        return self._built[name]

    def script(self, version: str) -> Path:
        """The unpacked release, as an operator has it after gunzip."""
        file = self.folder / f"chunter-{version}"
        if not file.exists():
            file.write_bytes(gzip.decompress(self.build(version).content))
        return file

    def publish(self, channel: Path, release: Release) -> None:
        """Put a release where updates are looked for."""
        release_tool.publish(channel, release, self.key)


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[None]:
    """A disk of its own for a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("the right to mount is missing")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """One for all tests."""
    return Workshop(tmp_path_factory.mktemp("releases"))


class Site:
    """A simulated host for a release: nothing of the agent is there yet, but what its operator wrote."""

    def __init__(self, folder: Path, nsqd: Nsqd | None = None, **settings: str) -> None:
        self.platform = simulator.create(folder / "hv")
        self.root = self.platform / "opt" / "chunter"
        self.nsqd = nsqd
        self.port = free_port()
        if nsqd is not None:
            self.configure(
                platform_root=str(self.platform),
                nsqd=nsqd.tcp_address,
                status_listen=f"127.0.0.1:{self.port}",
                **settings,
            )

    def configure(self, **settings: str) -> None:
        """Write chunter.conf before or after an installation."""
        (self.root / "etc").mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{name.replace('__', '.')} = {value}\n" for name, value in settings.items())
        (self.root / "etc" / "chunter.conf").write_text(lines)

    def install(
        self, script: Path, *options: str, shell: tuple[str, ...] = ("sh",), **process: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a release as an operator does, who set DST for a simulated host."""
        variables = {"PATH": "/usr/bin:/bin", "DST": str(self.platform / "opt"), **process.pop("env", {})}
        return subprocess.run(
            [*shell, script, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
            env=variables,
            **process,
        )

    def tool(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A platform tool by hand."""
        folder = "usr/bin" if name.startswith(("svcs", "svcprop", "pgrep")) else "usr/sbin"
        return subprocess.run(
            [self.platform / folder / name, *words], capture_output=True, text=True, check=False, timeout=110
        )

    def state(self, service: str = "chunter") -> str:
        """What svcs says of the service; * when it is on its way."""
        return self.tool("svcs", "-H", "-o", "state", service).stdout.strip()

    async def until(self, state: str, service: str = "chunter", timeout_seconds: float = 30.0) -> None:
        """Wait for a service to be in a state."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while (await asyncio.to_thread(self.state, service)) != state:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log = self.log(service)
            raise AssertionError(f"{service} is {self.state(service)}, not {state}:\n{log[-3000:]}") from None

    def log(self, service: str = "chunter") -> str:
        """The service's log."""
        file = self.platform / "var" / "svc" / "log" / f"network-{service}:default.log"
        return file.read_text() if file.exists() else ""

    @property
    def pid(self) -> int:
        """The agent's process, as SMF knows it; 0 for none."""
        said = self.tool("svcprop", "-p", "restarter/start_pid", SERVICE).stdout.strip()
        return int(said) if said.isdigit() else 0

    @property
    def id(self) -> str:
        """The host's id."""
        return (self.root / "etc" / "hostid").read_text().strip()

    @property
    def current(self) -> str:
        """The folder of the version that is in place."""
        link = self.root / "current"
        return link.readlink().name if link.is_symlink() else ""

    def chunter(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run bin/chunter by hand."""
        return subprocess.run(
            [self.root / "bin" / "chunter", *words], capture_output=True, text=True, check=False, timeout=110
        )

    def updates(self) -> Updates:
        """What the updater leaves behind."""
        return Updates(self.root / "var" / "update")

    def update(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run bin/update by hand."""
        return subprocess.run(
            [self.root / "bin" / "update", *options], capture_output=True, text=True, check=False, timeout=110
        )

    def latency(self, **seconds: float) -> None:
        """How long vmadm's verbs take."""
        file = self.platform / "var" / "simulator" / "latency.json"
        file.write_text(json.dumps({f"vmadm {verb}": one for verb, one in seconds.items()}))

    def shutdown(self, *, cut: bool = False) -> None:
        """In order, or by a power cut."""
        power.shutdown(self.platform, cut=cut)

    def boot(self) -> None:
        """What lay on the ramdisk is gone; what lies in /opt/custom/smf is imported."""
        power.reboot(self.platform)

    def send(self, action: str, uuid: str | None = None, **params: Any) -> str:
        """Publish a command; its id."""
        assert self.nsqd is not None
        document = {"id": f"test-{os.urandom(6).hex()}", "action": action, "params": params}
        if uuid is not None:
            document["uuid"] = uuid
        self.nsqd.pub(f"chunter.command.{self.id}", json.dumps(document).encode())
        return str(document["id"])

    def files(self) -> dict[str, str]:
        """Everything of the agent on the host: files with their size and time of change, links with where they lead."""
        found = {}
        for top in (self.root, self.platform / "opt" / "custom"):
            for one in sorted(top.rglob("*")):
                if one.is_symlink():
                    found[str(one)] = str(one.readlink())
                elif "__pycache__" not in one.parts:
                    status = one.stat()
                    found[str(one)] = f"{status.st_size} {status.st_mtime_ns}" if one.is_file() else "folder"
        return found

    def left(self) -> list[str]:
        """Processes that have to do with this host."""
        lines = subprocess.run(
            ["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return [line for line in lines if str(self.platform) in line and not line.startswith("Z")]

    def end(self) -> None:
        """The power is cut, and nobody is left."""
        self.shutdown(cut=True)
        deadline = time.monotonic() + 10  # a tool that was just running ends by itself
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [] == self.left(), self.left()


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes hosts; they lose their power with the test."""
    made: list[Site] = []

    def make(**options: Any) -> Site:
        made.append(Site(tmp_path / f"site{len(made)}", **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


class _Handler(SimpleHTTPRequestHandler):
    """Serves files; cuts an answer short where the shop says so, and knows ranges as real servers do."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, shop: Shop, **options: Any) -> None:
        self.shop = shop
        super().__init__(*arguments, directory=str(shop.folder), **options)

    def log_message(self, *_: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        """Answer, whole or not."""
        file = self.shop.folder / self.path.lstrip("/")
        self.shop.asked.append((self.path, self.headers.get("Range", "")))
        if not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") :].rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = self.shop.cuts.pop(0) if self.shop.cuts and file.suffix == ".gz" else None
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content[start:] if cut is None else content[start : start + cut])
        self.close_connection = True


class Shop:
    """A web server with a folder for each channel; ``cuts`` says after how many bytes the next answers end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cuts: list[int] = []
        self.asked: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, shop=self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        """What update.url is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def rel(self) -> Path:
        """The folder of the channel of releases."""
        return self.folder / "rel"

    def close(self) -> None:
        """Nobody is served any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A web server that has nothing yet."""
    (tmp_path / "shop").mkdir()
    one = Shop(tmp_path / "shop")
    yield one
    one.close()


@pytest.fixture
def newer(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server that has a newer version to offer; the settings of a host that looks there."""
    with Newer(tmp_path / "releases") as server:
        yield server.settings
