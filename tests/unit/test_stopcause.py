"""What is made of a machine that stopped by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from chunter_nsq.messages.catalogue import STOP_CAUSES
from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.platformlog import PlatformLog, last_lines
from publishers.caphits import CapHits, CapRecord
from publishers.stopcause import why

HITS = CapHits(12, 268435456, 536870912)
AT = "2026-11-22T10:00:00.000Z"


@pytest.mark.parametrize(
    ("status", "hits", "cause", "says"),
    [
        (0, None, "shut_down_inside", f"init ended with status 0 at {AT}"),
        (1, HITS, "init_failed", f"init ended with status 1 at {AT}"),
        (-9, None, "init_killed", f"init was killed by SIGKILL at {AT}"),
        (-9, CapHits(0, None, None), "init_killed", f"init was killed by SIGKILL at {AT}"),
        (-9, HITS, "out_of_memory", f"init was killed by SIGKILL at {AT}"),
        (-11, HITS, "init_killed", f"init was killed by SIGSEGV at {AT}"),
        (-77, None, "init_killed", f"init was killed by signal 77 at {AT}"),
    ],
)
def test_the_cause_follows_from_how_init_ended(status: int, hits: CapHits | None, cause: str, says: str) -> None:
    """The exit status decides, and a cap that was hit makes a kill one for memory."""
    told = why({"exit_status": status, "exit_timestamp": AT, "state": "stopped"}, hits, [])
    assert (cause, {"source": "vmadm get", "says": says}) == (told["cause"], told["evidence"][0])
    assert told["cause"] in STOP_CAUSES


def test_all_evidence_is_told() -> None:
    """How it ended, the cap, the log, each with its source."""
    told = why({"state": "down"}, HITS, ["a", "b"])
    cap = "the memory cap of 512 MiB was hit 12 times since it booted, 256 MiB resident"
    assert "unknown" == told["cause"]
    assert [
        ("vmadm get", "it is down, and how its init ended is not known"), ("kstat memory_cap", cap),
        ("platform.log", "a"), ("platform.log", "b"),
    ] == [(one["source"], one["says"]) for one in told["evidence"]]  # fmt: skip


def test_cap_hits_are_those_of_the_metrics() -> None:
    """What the metrics told last of a zone is known once."""
    record = CapRecord()
    data = {"event": "memstat", "data": {"rss": 5, "physcap": None, "nover": 3}}
    record.hear(Event("metric", "chunter.metric.memstat", "a-metrics", data))
    record.hear(Event("metric", "chunter.metric.cpu", "b-metrics", data))
    assert (CapHits(3, 5, None), None, None) == (record.take("a"), record.take("a"), record.take("b"))


def test_lines_of_loggers_say_what_they_say() -> None:
    """Of JSON lines only the message is kept; blank lines are left out, long ones cut."""
    content = b'first\n\n{"v":0,"msg":"panic"}\n{"log":"x\\n","stream":"stderr"}\n[1]\n' + b"y" * 900 + b"\n\xff"
    assert ["panic", "x", "[1]", "y" * 500, "\ufffd"] == last_lines(content, 5)


async def test_only_a_plain_file_is_read(tmp_path: Path) -> None:
    """A missing log, a link and a path that climbs give nothing; of a large one only the end is read."""
    log = PlatformLog(tmp_path)
    folder = tmp_path / "zones" / "a" / "logs"
    folder.mkdir(parents=True)
    assert [] == await log.last_lines("/zones/a")
    (folder / "platform.log").write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert ["line 99998", "line 99999"] == await log.last_lines("/zones/a", 2)
    (tmp_path / "secret").write_text("secret\n")
    (folder / "platform.log").unlink()
    (folder / "platform.log").symlink_to(tmp_path / "secret")
    assert [] == await log.last_lines("/zones/a")
    assert [] == await log.last_lines("/zones/../zones/a")
    assert [] == await log.last_lines("zones/a")
