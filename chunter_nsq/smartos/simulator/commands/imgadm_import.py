"""imgadm import: an image comes from its source, step by step, as other commands can watch.

While it comes there is a dataset ``<pool>/<uuid>-partial`` that grows; at the end it gets its name and its record in
one step. One import of an image runs at a time. What a killed import left behind is thrown away by the next one: for a
layer of docker with a warning before it begins, for any other image by failing, as the platform's imgadm does.
"""

from __future__ import annotations

import fcntl
import json
import os

from chunter_nsq.smartos.simulator.commands.imgadm_offers import find, title
from chunter_nsq.smartos.simulator.files import write_bytes
from chunter_nsq.smartos.simulator.poolhealth import refuse_when_full
from chunter_nsq.smartos.simulator.pools import open_pool
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from chunter_nsq.smartos.simulator.commands.imgadm_offers import Offer
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.pool import Pool
    from chunter_nsq.smartos.simulator.process import Process

KIB, MIB = 2**10, 2**20
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
PARTS = 4
FOLDER = "var/imgadm/images"
RECEIVE = "cannot receive new filesystem stream"


class Import:
    """One image on its way, with those that it is made upon."""

    def __init__(self, process: Process, pace: Pace, words: list[str]) -> None:
        self._process = process
        self._pace = pace
        self._pool = words[words.index("-P") + 1] if "-P" in words[:-1] else "zones"
        self._only = words[words.index("-S") + 1] if "-S" in words[:-1] else None

    def run(self, asked: str, installed: Callable[[str], dict[str, dict[str, Any]]]) -> int:
        """The exit status; an image that is there already is a success. ``-q`` ends no more than the progress bar."""
        record = installed(self._process.root).get(asked)
        if record is not None:
            self._say(f"Image {asked} ({title(record['manifest'], ' ')}) is already installed, skipping")
            return 0
        offer = find(self._process.root, "import", asked, self._only)
        if offer is None:
            text = f'an active image "{asked}" was not found in image sources'
            raise Refused(f"imgadm import: error (ActiveImageNotFound): {text}")
        uuid = offer.manifest["uuid"]
        record = installed(self._process.root).get(uuid)
        if record is not None:  # only a name that had to be asked for comes here
            source = f" from {record['source']}" if record.get("source") else ""
            self._say(f"Image {uuid} ({title(record['manifest'])}) is already installed{source}")
            return 0
        self._say(f'Importing {offer.title} from "{offer.url}"')
        self._say(f"Gather image {uuid} ancestry")
        descriptor = self._lock(uuid)
        try:
            self._bring(offer, installed(self._process.root))
        finally:
            os.close(descriptor)
        return 0

    def _lock(self, uuid: str) -> int:
        path = self._process.path("var/run", f"imgadm.{uuid}.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._say(f"Waiting for image {uuid} import lock")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def _bring(self, offer: Offer, installed: dict[str, dict[str, Any]]) -> None:
        """Download what is missing, then install it from the base up."""
        made = offer.manifest
        if made["uuid"] in installed:
            self._say(f"Image {made['uuid']} ({title(made)}) was imported while waiting on lock")
            return
        missing = [image for image in offer.images if image[0]["uuid"] not in installed]
        for one, _, _ in offer.images:
            if one["uuid"] in installed:
                self._say(f"Image {one['uuid']} already installed")
        self._pace.step("gathered", 0.1)
        total = f" ({human(sum(size for _, _, size in missing))})" if offer.sized else ""
        self._say(f"Must download and install {len(missing)} image{'s' if len(missing) > 1 else ''}{total}")
        for one, _, size in reversed(missing):
            self._say(f"Downloaded image {one['uuid']} ({human(size)})")
        for one, refer, _ in missing:
            self._receive(one, refer)
            self._keep(one, offer.url)
            self._say(f"Imported image {one['uuid']} ({title(one)})")

    def _receive(self, made: dict[str, Any], refer: int) -> None:
        partial = f"{self._pool}/{made['uuid']}-partial"
        pool = open_pool(self._process.root)
        self._discard_stale(pool, partial, made["type"])
        with pool:
            try:
                refuse_when_full(self._process.root, pool, RECEIVE)
            except Refused as full:
                raise self._not_received(full.text) from None
            if made["type"] == "zvol":
                local = {"volsize": str(made["image_size"] * MIB), "volblocksize": "8192", "refreservation": "0"}
                pool.add(partial, "volume", local, refer=refer // PARTS)
            else:
                local = {"mountpoint": "none", "compression": "lz4"}
                origin = made.get("origin")
                pool.add(
                    partial, local=local, refer=refer // PARTS, origin=f"{self._pool}/{origin}@final" if origin else ""
                )
        self._pace.step("partial", 0.2)
        for part in range(2, PARTS + 1):
            with pool:
                pool.set_sizes(partial, refer * part // PARTS, refer * part // PARTS)
            self._pace.step("downloaded" if part == PARTS else "downloading", 0.2)
        pool.close()

    def _discard_stale(self, pool: Pool, partial: str, kind: str) -> None:
        with pool:
            is_stale = pool.dataset(partial) is not None
            if is_stale:
                pool.remove(partial)
        if is_stale and kind != "docker":
            raise self._not_received(f"{RECEIVE}: destination '{partial}' exists\nmust specify -F to overwrite it")
        if is_stale:
            self._say(f"Warning: deleting partial dataset left over from earlier import attempt: {partial}")

    def _not_received(self, words: str) -> Refused:
        self._process.err(f"Stderr from zfs receive: {words}\n")
        return Refused("imgadm import: error (InternalError): zfs receive error while importing: exit code 1")

    def _keep(self, made: dict[str, Any], source: str) -> None:
        name = f"{self._pool}/{made['uuid']}"
        pool = open_pool(self._process.root)
        with pool:
            pool.rename(f"{name}-partial", name)
            pool.add_snapshots([(name, "final")])
            record = {"manifest": made, "zpool": self._pool, "source": source}
            path = self._process.path(FOLDER, f"{self._pool}-{made['uuid']}.json")
            write_bytes(path, json.dumps(record, indent=1).encode())
        pool.close()
        self._pace.step("renamed", 0.1)

    def _say(self, text: str) -> None:
        self._process.line(text)
        self._process.flush()


def human(count: float) -> str:
    """Bytes as imgadm writes them: one decimal, cut off and not rounded."""
    unit = 0
    while count >= KIB and unit < len(UNITS) - 1:
        count /= KIB
        unit += 1
    return f"{int(count * 10) / 10:.1f} {UNITS[unit]}"
