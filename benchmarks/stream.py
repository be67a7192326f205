"""A stream as ``zfs send`` makes them, the same every time: half of it cannot be compressed, the other half is text.

Records of 128 KiB, each behind a header of the length that ZFS's have, so that they lie on no round boundary. 512 of
them are made once and then told in an order that depends on nothing but how many there were before; no compressor here
looks back as far as to the last time that it saw one. What tells them stands in for ``zfs``: the agent's own library
starts it as it starts the real one, and it takes little of the processor.

``python -m benchmarks.stream FILE`` makes the records.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

RECORD_BYTES = 128 * 1024
HEADER_BYTES = 312
_RECORDS = 512
_WORDS = 20_000
_LETTERS = b"eeeettaaooiinnsshhrrddlluuccmmffyywwggppbbvvkxjqz"

# It must start at once, so it imports next to nothing.
_TOOL = """#!{python} -IS
import os, sys

def keep_up():
    # A session of its own has a right of way of its own: it takes that of whoever started it.
    try:
        with open("/proc/%d/autogroup" % os.getppid()) as theirs, open("/proc/self/autogroup", "w") as own:
            own.write(theirs.read().split()[-1])
    except OSError:
        pass

def send(size):
    with open({records!r}, "rb") as file:
        records = memoryview(file.read())
    count = len(records) // {record}
    number = told = 0
    while told < size:
        batch = []
        for _ in range(8):
            place = (number * 197 + number // count * 31) % count * {record}
            batch += [number.to_bytes(8, "little").ljust({header}, b"\\0"), records[place : place + {record}]]
            number += 1
        rest = memoryview(b"".join(batch))[: size - told]
        told += len(rest)
        while rest:
            rest = rest[os.write(1, rest) :]

def receive():
    buffer = bytearray(2**20)
    while os.readv(0, [buffer]):
        pass

keep_up()
if sys.argv[1] == "send":
    send(int(sys.argv[-1].partition("@")[2]))
elif sys.argv[1] == "receive":
    receive()
else:
    sys.exit("cannot open 'zones/y': dataset does not exist")
"""


def stand_in(root: Path) -> Path:
    """``usr/sbin/zfs`` below a root: ``send zones/x@BYTES`` tells so many, ``receive`` takes all."""
    records, tool = root / "records", root / "usr" / "sbin" / "zfs"
    subprocess.run((sys.executable, "-m", "benchmarks.stream", records), check=True)  # else its memory counts for all
    tool.parent.mkdir(parents=True)
    words = {"python": sys.executable, "records": str(records), "record": RECORD_BYTES, "header": HEADER_BYTES}
    tool.write_text(_TOOL.format(**words))
    tool.chmod(0o755)
    return tool


def digest(child: subprocess.Popen[bytes]) -> str:
    """The SHA-256 of all that a program says."""
    if child.stdout is None:
        raise ValueError("its output is not ours")
    found = hashlib.sha256()
    while block := child.stdout.read(2**20):
        found.update(block)
    return found.hexdigest()


def _made(chance: random.Random) -> bytes:
    words = [bytes(chance.choices(_LETTERS, k=chance.randint(2, 11))) for _ in range(_WORDS)]
    weights = [1 / place for place in range(1, _WORDS + 1)]  # as in any language
    texts = [
        b" ".join(chance.choices(words, weights, k=RECORD_BYTES // 3))[:RECORD_BYTES] for _ in range(_RECORDS // 2)
    ]
    records = texts + [chance.randbytes(RECORD_BYTES) for _ in range(_RECORDS - len(texts))]
    chance.shuffle(records)
    return b"".join(records)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(_made(random.Random(1)))  # noqa: S311 - the same stream for everybody, no secret
