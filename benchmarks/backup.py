"""How fast backups go to S3 and come back, against what an operator would type.

The same stream, half of it incompressible, from a stand-in for zfs send that costs next to nothing, to an S3 server in
memory on this machine and back: by the agent's own library, by ``gzip -1 | aws s3 cp -`` (back: ``| gunzip``) and by
``pigz -1 | rclone rcat`` (back: ``| pigz -d``). All take turns, round by round. MB are 10^6 bytes of the raw stream.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks import stream
from benchmarks.peers import pipes
from benchmarks.peers.pipes import Argv, Run
from benchmarks.report import Report, median, progress, show
from chunter_nsq.config import Config
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.compress import codec

MB = 10**6
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
OVERHEAD_MB = 80
_CONF = """s3.endpoint = {endpoint}
s3.bucket = {bucket}
s3.access_key = {access_key}
s3.secret_key = {secret_key}
backup_memory = {memory}
"""

Runs = dict[str, list[Run]]


@dataclass(frozen=True, slots=True)
class Stand:
    """A store, a stand-in for zfs below ``folder``, and an agent's configuration for both."""

    folder: Path
    zfs: Path
    account: Account

    def put(self, who: str, key: str, size: int) -> Run:
        """The stream into the store."""
        return self._move(who, "put", key, size, (self.zfs, "send", f"zones/x@{size}"))

    def get(self, who: str, key: str, size: int) -> Run:
        """The stream back."""
        return self._move(who, "get", key, size, (self.zfs, "receive", "zones/y"))

    def forget(self, key: str) -> int:
        """Give the memory of an object back; how large it was."""
        stored = self.folder / "store" / self.account.bucket / key
        size = stored.stat().st_size
        stored.unlink()
        return size

    def _move(self, who: str, way: str, key: str, size: int, zfs: Argv) -> Run:
        environment = pipes.environment(self.account)
        if who == "chunter":
            return self._by_us(way, key, size)
        pipe, aside = PEERS[who][way]
        return pipes.run(pipe(zfs, self.account, key), environment, (aside,))

    def _by_us(self, way: str, key: str, size: int) -> Run:
        """Its time without that of starting an agent; its processor and memory without those of the zfs stand-in."""
        told = self.folder / "told.json"
        places = (self.folder, self.folder / "chunter.conf", self.folder / "stored")
        taken = pipes.run([(sys.executable, "-m", "benchmarks.mover", way, *places, key, str(size))], {}, out=told)
        own = json.loads(told.read_text())
        return replace(taken, **own)


PEERS: dict[str, dict[str, tuple[Callable[[Argv, Account, str], list[Argv]], int]]] = {
    "gzip_aws": {"put": (pipes.gzip_aws, 0), "get": (pipes.aws_gunzip, 2)},
    "pigz_rclone": {"put": (pipes.pigz_rclone, 0), "get": (pipes.rclone_pigz, 2)},
}
PROGRAMS = {"gzip_aws": ("gzip", "gunzip", "aws"), "pigz_rclone": ("pigz", "rclone")}


@contextmanager
def stand(memory: str) -> Iterator[Stand]:
    """All of it, in memory where there is some."""
    with TemporaryDirectory(prefix="chunter-bench-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as place:
        folder = Path(place)
        zfs = stream.stand_in(folder)
        with pipes.store(folder / "store") as account:
            words = {"endpoint": account.endpoint, "bucket": account.bucket, "memory": memory}
            keys = {"access_key": account.access_key, "secret_key": account.secret_key}
            (folder / "chunter.conf").write_text(_CONF.format(**words, **keys))
            yield Stand(folder, zfs, account)


def check(made: Stand, size: int) -> None:
    """What we stored is what zfs sent, as any gunzip reads it; the same of what we read back is ours to check."""
    made.put("chunter", "check", size)
    stored = made.folder / "store" / made.account.bucket / "check"
    with subprocess.Popen((pipes.program("gunzip"), "-c"), stdin=stored.open("rb"), stdout=subprocess.PIPE) as child:
        found = stream.digest(child)
    with subprocess.Popen((made.zfs, "send", f"zones/x@{size}"), stdout=subprocess.PIPE) as child:
        sent = stream.digest(child)
    if found != sent:
        raise RuntimeError(f"what is in the store is not what was sent: {found} instead of {sent}")
    made.get("chunter", "check", size)
    made.forget("check")


def rounds(made: Stand, who: tuple[str, ...], size: int, count: int) -> tuple[Runs, Runs, dict[str, int]]:
    """Everybody in turn, there and back; what they took, and how much each stored."""
    there: Runs = {one: [] for one in who}
    back: Runs = {one: [] for one in who}
    stored: dict[str, int] = {}
    for number in range(count):
        for one in who:
            key = f"{one}-{number}"
            there[one].append(made.put(one, key, size))
            back[one].append(made.get(one, key, size))
            stored[one] = made.forget(key)
            speeds = [round(size / MB / runs[one][-1].seconds) for runs in (there, back)]
            progress(f"round {number + 1} of {count}: {one} {speeds[0]} MB/s, back {speeds[1]}")
    return there, back, stored


def figures(runs: Runs, size: int) -> dict[str, dict[str, float]]:
    """Of each: speed (median, and of the slowest round), processor time, memory."""
    return {
        one: {
            "mb_per_second": size / MB / median([run.seconds for run in taken]),
            "slowest_mb_per_second": size / MB / max(run.seconds for run in taken),
            "cpu_seconds_per_gb": median([run.cpu_seconds for run in taken]) * 1000 * MB / size,
            "peak_mib": max(run.peak_mib for run in taken),
        }
        for one, taken in runs.items()
    }


def ratio(runs: Runs, peer: str) -> float:
    """How many times as fast as a peer we were, the median of the rounds."""
    return median([theirs.seconds / ours.seconds for ours, theirs in zip(runs["chunter"], runs[peer], strict=True)])


def present(report: Report) -> tuple[str, ...]:
    """The peers that can run here; the report says why the others cannot."""
    absent = pipes.missing("rclone", "gunzip")
    if absent is not None:
        raise click.ClickException(f"there is no store to measure on, or nothing to look into it: {absent}")
    reasons = {peer: pipes.missing(*programs) for peer, programs in PROGRAMS.items()}
    report.notes += [f"{peer} is left out: {reason}" for peer, reason in reasons.items() if reason is not None]
    return tuple(peer for peer, reason in reasons.items() if reason is None)


def measure(size_mib: int, count: int, memory: str, *, is_grown: bool) -> Report:
    """All of it."""
    size = size_mib * 2**20
    parameters = {"stream_mib": size_mib, "rounds": count, "backup_memory": memory, "packed_by": codec("auto").engine}
    report = Report("backup", parameters)
    peers = present(report)
    with stand(memory) as made:
        allowed_mb = Config.load(made.folder / "chunter.conf").backup_memory_bytes / MB + OVERHEAD_MB
        progress("what is stored is compared with what was sent")
        check(made, min(size, 256 * 2**20))
        there, back, stored = rounds(made, (*peers, "chunter"), size, count)
        peaks = [run.peak_mib for run in (*there["chunter"], *back["chunter"])]
        report.figures["to_the_store"] = figures(there, size)
        report.figures["back"] = figures(back, size)
        report.figures["compression"] = {one: size / stored[one] for one in stored}
        if is_grown:
            progress("a stream four times as long, for the memory")
            longer = [made.put("chunter", "longer", 4 * size), made.get("chunter", "longer", 4 * size)]
            made.forget("longer")
            report.figures["peak_mib_of_longer_stream"] = [run.peak_mib for run in longer]
            peaks += [run.peak_mib for run in longer]
    for runs, peer, name, to_reach in (
        (there, "gzip_aws", "ratio_gzip_aws", 3),
        (there, "pigz_rclone", "ratio_pigz_rclone", 1.5),
        (back, "gzip_aws", "ratio_restore", 2),
    ):
        if peer in peers:
            report.goal(name, ratio(runs, peer), ">=", to_reach)
    report.goal("peak_mb", max(peaks) * 2**20 / MB, "<=", round(allowed_mb))
    return report


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--size", "size_mib", default=2048, show_default=True, help="MiB of the stream.")
@click.option("--rounds", "count", default=3, show_default=True)
@click.option("--memory", default="256MB", show_default=True, help="As backup_memory in chunter.conf.")
@click.option(
    "--longer/--no-longer", "is_grown", default=True, help="Memory also with a stream of four times the size."
)
def main(*, as_json: bool, size_mib: int, count: int, memory: str, is_grown: bool) -> None:
    """Measure and tell."""
    show(measure(size_mib, count, memory, is_grown=is_grown), as_json=as_json)


if __name__ == "__main__":
    main()
