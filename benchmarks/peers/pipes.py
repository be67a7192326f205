"""What an operator would type: ``zfs send | gzip -1 | aws s3 cp -`` and its kin, on a store in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nsq_servers import free_port

from chunter_nsq.errors import Fault
from chunter_nsq.storage.account import Account

Argv = Sequence[str | Path]

ACCESS_KEY, SECRET_KEY = "AKBENCHMARK", "benchmark-secret"
_BUCKET = "bench"
_READY_SECONDS = 20.0


def missing(*names: str) -> str | None:
    """Which of these programs are not here, and who brings them; None when all are."""
    absent = [name for name in names if _found(name) is None]
    if not absent:
        return None
    return f"{', '.join(absent)} not installed (make bench installs aws and rclone; Debian: apt-get install pigz gzip)"


def program(name: str) -> Path:
    """Beside this interpreter, or on the path."""
    found = _found(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not there")
    return found


@dataclass(frozen=True, slots=True)
class Run:
    """How long all took together, and the processor time and most memory of each but those that were left out."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def run(
    argvs: Sequence[Argv], environment: Mapping[str, str], aside: Sequence[int] = (), out: Path | None = None
) -> Run:
    """Programs piped into each other, from the start of the first to the end of the last; all must end well.

    ``aside`` are the places of those that are the same for all and do not count; ``out`` is where the last one writes.
    """
    began = time.monotonic()
    children: list[subprocess.Popen[bytes]] = []
    source: int | None = subprocess.DEVNULL
    with (out or Path(os.devnull)).open("wb") as end:
        for argv in argvs:
            is_last = len(children) == len(argvs) - 1
            sink = end.fileno() if is_last else subprocess.PIPE
            child = subprocess.Popen(argv, stdin=source, stdout=sink, env={**os.environ, **environment})
            if children and (before := children[-1].stdout) is not None:
                before.close()
            source = child.stdout.fileno() if child.stdout is not None else None
            children.append(child)
        usages = [_ended(child) for child in children]
    seconds = time.monotonic() - began
    counted = [usage for place, usage in enumerate(usages) if place not in aside]
    return Run(seconds, sum(cpu for cpu, _ in counted), sum(peak for _, peak in counted))


@contextmanager
def store(folder: Path) -> Iterator[Account]:
    """``rclone serve s3`` on a folder, which should be in memory; it hashes parts, and not again what it wrote."""
    (folder / _BUCKET).mkdir(parents=True)
    address = f"127.0.0.1:{free_port()}"
    words = (
        "--auth-key",
        f"{ACCESS_KEY},{SECRET_KEY}",
        "--config",
        os.devnull,
        "--log-level",
        "ERROR",
        "--ignore-checksum",
        "--etag-hash",
        "",
    )
    with (folder.parent / "store.log").open("wb") as log:
        child = subprocess.Popen((program("rclone"), "serve", "s3", "--addr", address, *words, folder), stderr=log)
    account = Account(
        endpoint=f"http://{address}", bucket=_BUCKET, access_key=ACCESS_KEY, secret_key=SECRET_KEY, profile="generic"
    )
    try:
        _await(account)
        yield account
    finally:
        child.kill()
        child.wait()


def environment(account: Account) -> dict[str, str]:
    """Where the store is, for aws and rclone (there the remote ``store``); nothing of the user's own is read."""
    return {
        "AWS_ACCESS_KEY_ID": account.access_key,
        "AWS_SECRET_ACCESS_KEY": account.secret_key,
        "AWS_DEFAULT_REGION": account.region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_STORE_TYPE": "s3",
        "RCLONE_CONFIG_STORE_PROVIDER": "Rclone",
        "RCLONE_CONFIG_STORE_ENDPOINT": account.endpoint,
        "RCLONE_CONFIG_STORE_ACCESS_KEY_ID": account.access_key,
        "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": account.secret_key,
    }


def gzip_aws(send: Argv, account: Account, key: str) -> list[Argv]:
    """The stream into the store."""
    return [send, (program("gzip"), "-1"), (*_aws(account), "-", f"s3://{account.bucket}/{key}")]


def aws_gunzip(receive: Argv, account: Account, key: str) -> list[Argv]:
    """The stream back."""
    return [(*_aws(account), f"s3://{account.bucket}/{key}", "-"), (program("gunzip"),), receive]


def pigz_rclone(send: Argv, account: Account, key: str) -> list[Argv]:
    """The stream into the store."""
    return [send, (program("pigz"), "-1"), (program("rclone"), "rcat", f"store:{account.bucket}/{key}")]


def rclone_pigz(receive: Argv, account: Account, key: str) -> list[Argv]:
    """The stream back."""
    return [(program("rclone"), "cat", f"store:{account.bucket}/{key}"), (program("pigz"), "-d"), receive]


def _aws(account: Account) -> Argv:
    return (program("aws"), "--endpoint-url", account.endpoint, "s3", "cp", "--only-show-errors")


def _found(name: str) -> Path | None:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    return None if found is None else Path(found)


def _ended(child: subprocess.Popen[bytes]) -> tuple[float, float]:
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{child.args!r} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _await(account: Account) -> None:
    from chunter_nsq.storage.bucket import Bucket  # noqa: PLC0415

    deadline = time.monotonic() + _READY_SECONDS
    bucket = Bucket(account)
    while True:
        try:
            bucket.head("ready")
        except Fault:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            bucket.close()
            return
