"""A stage for single commands: one host with machines of each kind, a store, and what is done before a command is sent.

PYTEST_DONT_REWRITE. In what is sent ``{name}`` stands for a thing of that name: a machine's uuid (those in ``MADE``
are made when they are first named), or a uuid that nothing has.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worlds import Ears, Host, new_uuid, payload

from chunter_nsq.errors import Fault
from chunter_nsq.smartos.simulator import faults
from chunter_nsq.smartos.simulator.smf import hand
from chunter_nsq.storage.bucket import Bucket

CENTOS = "462d1d03-8457-e134-a408-cf9ea2b9be96"
UBUNTU = "63d6e664-3f1f-11e8-aef6-a3120cf8dd9d"
_NAME = re.compile(r"\{(\w+)\}")
_HVM: dict[str, Any] = {"ram": 256, "nics": [], "disks": [{"image_uuid": CENTOS, "boot": True, "model": "virtio"}]}
MADE: dict[str, dict[str, Any]] = {
    "running": payload(alias="running"),
    "stopped": payload(alias="stopped", autoboot=False),
    "half": payload(alias="half", autoboot=False),
    "lx": payload(alias="lx", brand="lx", image_uuid=UBUNTU, kernel_version="4.3.0", nics=[]),
    "kvm": {"brand": "kvm", "alias": "kvm", **_HVM},
    "odd": payload(alias="odd", autoboot=False),
}
MORE = tuple(f"more{number}" for number in range(15))  # with one that has a console already as many as may
MADE |= {name: payload(alias=name, autoboot=False, nics=[]) for name in MORE}


@dataclass(frozen=True)
class Sent:
    """A command that must succeed."""

    action: str
    about: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Begun:
    """A command that is only accepted: it goes on while others come."""

    action: str
    about: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Typed:
    """What an operator types on the host."""

    argv: tuple[str, ...]


@dataclass(frozen=True)
class Struck:
    """A fault of a platform tool; see ``chunter simulator fault``."""

    fault: Mapping[str, Any]


@dataclass(frozen=True)
class Ill:
    """A state of a service, or a new service, in the global zone or in a machine."""

    service: str
    word: str
    about: str = "global"


@dataclass(frozen=True)
class Gone:
    """An object that vanishes from the bucket."""

    key: str


@dataclass(frozen=True)
class Spoilt:
    """An object of the bucket whose content is not what was stored any more."""

    key: str


@dataclass(frozen=True)
class Torn:
    """An object of the bucket of which only the beginning is left."""

    key: str


@dataclass(frozen=True)
class Full:
    """A pool into which nothing more fits."""


@dataclass(frozen=True)
class Laid:
    """A file of the host that somebody writes; ``old`` is replaced where it is given."""

    path: str
    text: str
    old: str = ""


Step = Sent | Begun | Typed | Struck | Ill | Gone | Spoilt | Torn | Full | Laid


@dataclass(frozen=True)
class Case:
    """A command and how it ends: with ``error``, or well."""

    error: type[Fault] | None
    about: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[Step, ...] = ()
    meanwhile: tuple[Step, ...] = ()
    stored: bool = True  # on a host whose configuration names a store

    @property
    def ending(self) -> str:
        """The code of its error, or what a good end is called."""
        return "succeeded" if self.error is None else self.error.code


class Stage:
    """``take`` does what comes before a command, ``send`` sends it, ``ending`` does both."""

    def __init__(self, host: Host, ears: Ears, bucket: Bucket | None, names: Mapping[str, str] | None = None) -> None:
        self.host = host
        self._ears = ears
        self._bucket = bucket
        self._names: dict[str, str] = dict(names or {})

    @property
    def last(self) -> str:
        """The command that was sent last by a step."""
        return self._names["last"]

    async def ending(self, action: str, case: Case) -> str:
        """How a case ends: the code of the error, or the status of a good end."""
        for step in case.before:
            await self.take(step)
        command = await self.send(action, case.about, case.params)
        if case.meanwhile:
            await self._ears.when(lambda: "accepted" in self._ears.statuses(command))
        for step in case.meanwhile:
            await self.take(step)
        done = await self._ears.result(command, 100)
        faults.clear(str(self.host.platform))
        error = done["error"]
        return done["status"] if error is None else error["code"]

    async def send(self, action: str, about: str = "", params: Mapping[str, Any] | None = None, **members: Any) -> str:
        """Publish a command; its id."""
        uuid = await self._filled(f"{{{about}}}") if about else None
        if params:
            members["params"] = await self._filled(dict(params))
        return self.host.send(action, uuid, **members)

    async def take(self, step: Step) -> None:
        """Do what comes before a command."""
        match step:
            case Sent(action, about, params):
                command = await self.send(action, about, params)
                done = await self._ears.result(command, 60)
                assert "succeeded" == done["status"], (step, done)
                self._names["last"] = command
            case Begun(action, about, params):
                command = self._names["last"] = await self.send(action, about, params)
                await self._ears.when(lambda: "accepted" in self._ears.statuses(command))
            case Typed(argv):
                done = await asyncio.to_thread(self.host.tool, *await self._filled(list(argv)))
                assert 0 == done.returncode, (step, done.stderr)
            case Struck(fault):
                faults.add(str(self.host.platform), dict(fault))
            case Ill(service, word, about):
                zone = about if about == "global" else await self._filled(f"{{{about}}}")
                hand.lay(str(self.host.platform), zone, service, word)
            case _:
                await self._lay(step)

    async def _lay(self, step: Step) -> None:
        """What lies in the bucket, in the pool and on the host's disk."""
        match step:
            case Gone(key):
                self._bucket.delete(await self._filled(key))
            case Spoilt(key):
                self._spoil(await self._filled(key))
            case Torn(key):
                name = await self._filled(key)
                self._bucket.put(name, self._bucket.get(name)[:100])
            case Full():
                used = self.host.tool("zfs", "get", "-Hp", "-o", "value", "used", "zones").stdout.strip()
                await self.take(Typed(("zfs", "set", f"quota={used}", "zones")))
            case Laid(path, text, old):
                file = self.host.platform / await self._filled(path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(file.read_text().replace(old, text) if old else text)

    def _spoil(self, key: str) -> None:
        """Manifests stay documents of their kind, with something else in them."""
        content = self._bucket.get(key)
        spoilt = (
            json.dumps({**json.loads(content), "host": "another"}).encode() if key.endswith(".json") else content[::-1]
        )
        self._bucket.put(key, spoilt)

    async def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: await self._filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [await self._filled(one) for one in value]
        if not isinstance(value, str):
            return value
        for name in _NAME.findall(value):
            value = value.replace(f"{{{name}}}", await self._named(name))
        return value

    async def _named(self, name: str) -> str:
        if name not in self._names:
            self._names[name] = new_uuid()
            if name in MADE:
                await self._make(name)
        return self._names[name]

    async def _make(self, name: str) -> None:
        uuid, root = self._names[name], str(self.host.platform)
        if name == "half":
            faults.add(root, {"tool": "vmadm", "subcommand": "create", "kill_after": "installed", "times": 1})
        wanted = json.dumps({**MADE[name], "uuid": uuid})
        await asyncio.to_thread(self.host.tool, "vmadm", "create", stdin=wanted)
        assert 0 == self.host.tool("vmadm", "get", uuid).returncode, name
