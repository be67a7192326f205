"""What tests of the storage library share: streams, transfers, and short patience."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hypothesis import settings

from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.budget import Budget
from chunter_nsq.storage.catalogue import file_of
from chunter_nsq.storage.compress import codec
from chunter_nsq.storage.download import Download, Downloaded, Wanted
from chunter_nsq.storage.manifest import Manifest, Snapshot
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.profiles import MIB
from chunter_nsq.storage.sizing import Sizes, sizes
from chunter_nsq.storage.stop import Stop
from chunter_nsq.storage.transfer import Transfer
from chunter_nsq.storage.upload import Upload, Uploaded

# Examples are whole families of backups.
relaxed = settings(max_examples=60)

VM = "0e56fe34-39a3-42d5-86c7-d719487f892b"
QUICK = Patience(total_seconds=20, first_seconds=0.05, longest_seconds=0.2)
SHORT = Patience(total_seconds=0.5, first_seconds=0.05, longest_seconds=0.1)
_RECORD_BYTES = 128 * 1024


def mixed(size: int, seed: int) -> bytes:
    """A stream as datasets make them: records that cannot be compressed beside text and zeros."""
    chance = random.Random(seed)  # noqa: S311 - the same stream again for the same seed
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(2000)]
    texts = [b" ".join(chance.choices(words, k=25_000))[:_RECORD_BYTES] for _ in range(4)]
    made = bytearray()
    while len(made) < size:
        made += chance.choice(
            (chance.randbytes(_RECORD_BYTES), chance.choice(texts), bytes(5000), chance.randbytes(300))
        )
    return bytes(made[:size])


def small(bucket: Bucket, **changes: Any) -> Sizes:
    """The smallest parts that stores take."""
    return replace(sizes(bucket.traits, 64 * MIB, part_bytes=5 * MIB), **changes)


@contextmanager
def transfer(bucket: Bucket, patience: Patience = QUICK, **more: Any) -> Iterator[Transfer]:
    """Means for one transfer, with a budget of its own."""
    with Stop() as stop:
        yield Transfer(bucket, stop, more.pop("budget", None) or Budget(64 * MIB), patience=patience, **more)


def dice() -> random.Random:
    """Chance whose seed is printed with a failure."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - so that a failure can be run again
    return random.Random(seed)  # noqa: S311 - same


def upload(bucket: Bucket, raw: bytes, key: str = f"{VM}/one", name: str = "none", **changes: Any) -> Uploaded:
    """A stream in the store."""
    with transfer(bucket) as means:
        return Upload(means, key, codec(name), small(bucket, **changes)).run(io.BytesIO(raw), lambda: None)


def download(bucket: Bucket, wanted: Wanted, sink: Any, **more: Any) -> Downloaded:
    """A stream out of the store."""
    with transfer(bucket, more.pop("patience", QUICK)) as means:
        return Download(means, wanted, **more).run(sink)


def manifest(*uploaded: Uploaded, name: str = "one", parent: Snapshot | None = None, **more: Any) -> Manifest:
    """A backup of made-up uploads."""
    files = tuple(file_of(one, f"zones/{VM}") for one in uploaded)
    given: dict[str, Any] = {
        "vm": VM,
        "host": "host",
        "snapshot": Snapshot(name, {f"zones/{VM}": f"guid-{name}"}),
        "parent": parent,
        "files": files,
        "send_flags": (),
        "config": {"alias": "web", "ram": 1024},
        "created": "2026-11-22T10:00:00Z",
        "finished": "2026-11-22T10:01:00Z",
        "agent_version": "0",
    }
    return Manifest(**{**given, **more})
