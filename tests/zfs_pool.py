"""A real ZFS for tests: a pool on a file, in the running daemon of zfs-fuse or in one started for the tests.

PYTEST_DONT_REWRITE. Test modules ask for it with ``pytest_plugins = ("zfs_pool",)``. Several test runs may share one
daemon: each holds a shared lock while it uses it, and the last one ends a daemon that a test run had started.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slowness import SLOWNESS

SBIN = Path("/usr/sbin")
FLAGS = ("--no-kstat-mount", "-a", "0", "-e", "0")  # nothing cached beside what is on disk
LOCK = Path("/tmp/chunter-zfs-fuse.lock")  # held by all test runs of this machine that use it now
DOOR = Path("/tmp/chunter-zfs-fuse.door")  # held while one of them comes or goes
PID_FILE = Path("/tmp/chunter-zfs-fuse.pid")  # of a daemon that a test run started
PREFIX = "chuntertest"
POOL_BYTES = 512 * 2**20
READY_SECONDS = 15.0


class ZfsError(Exception):
    """A command failed that had to succeed."""


def command(tool: str, *words: str) -> str:
    """What a ``zfs`` or ``zpool`` command says that must succeed."""
    done = subprocess.run([SBIN / tool, *words], capture_output=True, text=True, check=False, timeout=60 * SLOWNESS)
    if done.returncode != 0:
        raise ZfsError(f"{tool} {' '.join(words)}: {done.stderr}")
    return done.stdout


class Pool:
    """One pool; ``name`` is its name, ``mountpoint`` where it is mounted."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.mountpoint = directory / "mounted"
        self._file = directory / "disk"
        self._count = 0

    def create(self) -> None:
        """Make it; its file is sparse."""
        with self._file.open("wb") as file:
            file.truncate(POOL_BYTES)
        command("zpool", "create", "-f", "-m", str(self.mountpoint), self.name, str(self._file))

    def destroy(self) -> None:
        """Take it away with all that is in it."""
        destroy_pool(self.name)
        self._file.unlink(missing_ok=True)

    def new(self, label: str = "t") -> str:
        """A fresh dataset's name, mounted below the pool's mountpoint."""
        self._count += 1
        name = f"{self.name}/{label}{self._count}"
        command("zfs", "create", name)
        return name

    def path(self, dataset: str) -> Path:
        """Where a dataset is mounted."""
        return self.mountpoint / dataset.partition("/")[2]

    def names(self, root: str = "") -> list[str]:
        """Every dataset and snapshot below a root."""
        return command("zfs", "list", "-H", "-t", "all", "-o", "name", "-r", root or self.name).split()

    def guid(self, name: str) -> int:
        """The GUID of a dataset or snapshot."""
        return int(command("zfs", "get", "-Hp", "-o", "value", "guid", name))


def destroy(dataset: str) -> None:
    """Destroy a dataset of the pool with all that is in it, however busy."""
    deadline = time.monotonic() + 10
    while True:
        try:
            command("zfs", "destroy", "-rRf", dataset)
        except ZfsError as fault:
            if "does not exist" in str(fault):
                return
            if "busy" not in str(fault) or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.05)


def destroy_pool(name: str) -> None:
    """Destroy a pool, however busy."""
    deadline = time.monotonic() + 10
    while name in command("zpool", "list", "-H", "-o", "name").split():
        try:
            command("zpool", "destroy", "-f", name)
        except ZfsError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class Daemon:
    """The one daemon of this machine, held by the lock of everybody who uses it."""

    def __init__(self) -> None:
        self._users = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._door = os.open(DOOR, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def enter(self) -> None:
        """Have it run, and keep others from ending it; others may use it at the same time."""
        fcntl.flock(self._door, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._users, fcntl.LOCK_SH)
            if not answers():
                self._start()
            for name in command("zpool", "list", "-H", "-o", "name").split():
                if name.startswith(PREFIX) and not Path(f"/proc/{name.removeprefix(PREFIX)}").exists():
                    destroy_pool(name)  # left by a test run that was killed
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)

    def leave(self) -> None:
        """End it when nobody else uses it and a test run had started it."""
        fcntl.flock(self._door, fcntl.LOCK_EX)
        try:
            self._end_unused()
        finally:
            os.close(self._users)
            os.close(self._door)

    def _end_unused(self) -> None:
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        pid = _started()
        PID_FILE.unlink(missing_ok=True)
        if pid:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 10
            while b"zfs-fuse" in _command_line(pid) and time.monotonic() < deadline:
                time.sleep(0.02)

    def _start(self) -> None:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        Path("/var/run/zfs").mkdir(parents=True, exist_ok=True)
        words = [SBIN / "zfs-fuse", *FLAGS, "--pidfile", PID_FILE]
        deadline = time.monotonic() + READY_SECONDS
        while not answers():  # it gives up while another one is still ending
            if time.monotonic() > deadline:
                raise ZfsError("zfs-fuse does not get ready")
            if not _started():
                PID_FILE.unlink(missing_ok=True)  # left by one that was killed; none starts where there is one
                subprocess.run(words, **quiet, check=False, timeout=30, cwd="/")
            time.sleep(0.05)


def answers() -> bool:
    """Whether a ZFS answers on this machine."""
    return subprocess.run([SBIN / "zpool", "list"], capture_output=True, check=False, timeout=30).returncode == 0


def _started() -> int:
    """The process of the daemon that a test run started, while it lives; else 0."""
    try:
        pid = int(PID_FILE.read_text())
    except (OSError, ValueError):  # none, or killed while it wrote it
        return 0
    return pid if b"zfs-fuse" in _command_line(pid) else 0


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def missing() -> str:
    """Why there can be no real ZFS here; empty when there can."""
    if not (SBIN / "zfs").exists() or not (SBIN / "zpool").exists():
        return "no zfs here: apt-get install zfs-fuse"
    if os.geteuid() != 0:
        return "a real ZFS needs root"
    if not (SBIN / "zfs-fuse").exists() and not answers():
        return "zfs is here, but neither its kernel module nor zfs-fuse"
    return "" if Path("/dev/fuse").exists() or answers() else "no /dev/fuse"


@pytest.fixture(scope="session")
def zfs_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool of this test run, destroyed at its end."""
    why = missing()
    if why:
        pytest.skip(why)
    daemon = Daemon()
    daemon.enter()
    directory = tmp_path_factory.mktemp("zfs")
    pool = Pool(f"{PREFIX}{os.getpid()}", directory)
    try:
        pool.create()
        yield pool
    finally:
        pool.destroy()
        daemon.leave()
        shutil.rmtree(directory, ignore_errors=True)
