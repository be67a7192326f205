"""imgadm import: an image comes from its source, step by step, as other commands can watch.

While it comes there is a dataset ``<pool>/<uuid>-partial`` that grows; at the end it gets its name and its record in
one step. What a killed import left behind is thrown away by the next one. One import of an image runs at a time.
"""

from __future__ import annotations

import fcntl
import json
import os

from chunter_nsq.smartos.simulator.catalogue import manifest
from chunter_nsq.smartos.simulator.commands.imgadm_sources import ask, offered
from chunter_nsq.smartos.simulator.files import write_bytes
from chunter_nsq.smartos.simulator.poolhealth import refuse_when_full
from chunter_nsq.smartos.simulator.pools import open_pool
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

MIB = 2**20
PARTS = 4
FOLDER = "var/imgadm/images"


class Import:
    """One image on its way."""

    def __init__(self, process: Process, pace: Pace, words: list[str]) -> None:
        self._process = process
        self._pace = pace
        self._quiet = "-q" in words
        self._pool = words[words.index("-P") + 1] if "-P" in words[:-1] else "zones"
        self._only = words[words.index("-S") + 1] if "-S" in words[:-1] else None

    def run(self, uuid: str, installed: Callable[[str], dict[str, dict[str, Any]]]) -> int:
        """The exit status; an image that is there already is a success."""
        record = installed(self._process.root).get(uuid)
        if record is not None:
            self._process.line(f"Image {uuid} ({_title(record['manifest'], ' ')}) is already installed, skipping")
            return 0
        source = ask(self._process.root, "import", self._only)
        image = offered(self._process.root).get(uuid)
        if image is None:
            text = f'an active image "{uuid}" was not found in image sources'
            raise Refused(f"imgadm import: error (ActiveImageNotFound): {text}")
        descriptor = self._lock(uuid)
        try:
            if uuid in installed(self._process.root):
                self._say(f"Image {uuid} was imported while waiting on lock")
            else:
                self._fetch(image, source, installed)
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

    def _fetch(self, image: dict[str, Any], source: str, installed: Callable[[str], dict[str, dict[str, Any]]]) -> None:
        made = manifest(image)
        uuid, title = made["uuid"], _title(made, "@")
        size = f"{made['files'][0]['size'] / MIB:.1f} MiB"
        self._say(f'Importing {uuid} ({title}) from "{source}"')
        self._say(f"Gather image {uuid} ancestry")
        origin = made.get("origin")
        if origin and origin not in installed(self._process.root):
            self._fetch(offered(self._process.root)[origin], source, installed)
        self._pace.step("gathered", 0.1)
        self._say(f"Must download and install 1 image ({size})")
        self._receive(made, image["refer"])
        self._say(f"Downloaded image {uuid} ({size})")
        self._keep(made, source)
        self._say(f"Imported image {uuid} ({title})")

    def _receive(self, made: dict[str, Any], refer: int) -> None:
        partial = f"{self._pool}/{made['uuid']}-partial"
        pool = open_pool(self._process.root)
        with pool:
            refuse_when_full(
                self._process.root, pool, "imgadm import: error (InternalError): cannot receive new filesystem stream"
            )
            if pool.dataset(partial) is not None:
                pool.remove(partial)
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
        if not self._quiet:
            self._process.line(text)
            self._process.flush()


def _title(made: dict[str, Any], between: str) -> str:
    return f"{made['name']}{between}{made['version']}"
