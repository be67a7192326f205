"""One stream to the store and back as the agent moves it, in a process of its own that tells what it took.

``python -m benchmarks.mover put|get ROOT CONF FILE KEY BYTES``: below ``ROOT`` is the stand-in for zfs, ``CONF`` is a
chunter.conf, ``FILE`` is where ``put`` leaves what ``get`` needs. All of the agent's modules are loaded and settled, so
that its memory is that of an agent. It prints one JSON document: seconds from the command to its end, as an agent that
runs takes them; processor seconds of its own from its start on, without those of the stand-in; and the most memory
that it ever had.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import resource
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks import machine
from chunter_nsq.app import _settle_memory
from chunter_nsq.backup.receiving import Into
from chunter_nsq.backup.stores import Stores
from chunter_nsq.config import Config
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs_streams import ZfsStreams
from chunter_nsq.storage.catalogue import file_of
from chunter_nsq.storage.download import Download
from chunter_nsq.storage.manifest import File
from chunter_nsq.storage.transfer import in_thread
from chunter_nsq.storage.upload import Upload
from chunter_nsq.storage.verify import wanted


async def put(stores: Stores, streams: ZfsStreams, key: str, size: int) -> File:
    """The stream into the store, as backup.create does it."""
    account = stores.account(None)
    with stores.transfer(account) as transfer:
        sizes = stores.sizes(transfer.bucket.traits, size)
        upload = Upload(transfer, key, stores.codec(None), sizes, keep=lambda _: None)
        async with streams.send(f"zones/x@{size}") as source:
            work = partial(upload.run, source, lambda: None)
            return file_of(await in_thread(work, transfer.stop), "zones/x")


async def get(stores: Stores, streams: ZfsStreams, file: File) -> None:
    """The stream back, as backup.restore does it."""
    with stores.transfer(stores.account(None)) as transfer:
        async with streams.receive("zones/y") as sink:

            def work() -> None:
                Download(transfer, wanted(file), reads=stores.reads).run(Into(sink))
                sink.finish()

            await in_thread(work, transfer.stop)


def main(what: str, root: str, conf: str, note: str, key: str, size: str) -> None:
    """Move, and tell."""
    _settle_memory()
    config = Config.load(Path(conf))
    stores, streams = Stores(lambda: config), ZfsStreams(Runner(Path(root)))
    begun = time.monotonic()
    if what == "put":
        stored = asyncio.run(put(stores, streams, key, int(size)))
        Path(note).write_bytes(pickle.dumps(stored))
    else:
        stored = pickle.loads(Path(note).read_bytes())  # noqa: S301 - written above
        asyncio.run(get(stores, streams, stored))
    seconds = time.monotonic() - begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": machine.peak_rss_mib("self"),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
