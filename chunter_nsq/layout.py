"""How a machine that is to be made, or changed, looks to vmadm: the payload, from whichever form was sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from chunter_nsq.errors import InvalidMessage, NotFound
from chunter_nsq.fifo.create import to_vmadm
from chunter_nsq.fifo.docker import dataset_of, image_name
from chunter_nsq.fifo.facts import HostFacts
from chunter_nsq.fifo.update import create_update
from chunter_nsq.messages.params import MachineCreate, MachineUpdate
from chunter_nsq.smartos.names import is_uuid
from chunter_nsq.tools import Tools


class Layout:
    """The machine that a machine.create describes."""

    def __init__(self, tools: Tools, params: MachineCreate, uuid: str) -> None:
        self._tools = tools
        self._params = params
        self._uuid = uuid
        self._image: str | None = None

    @property
    def docker_name(self) -> str | None:
        """The docker image that it is made from, when that is given by name."""
        return image_name(self._params.dataset)

    def stands_for(self, image: str) -> None:
        """Say which image the docker name is; until then the payload has the name in its place."""
        self._image = image

    async def payload(self) -> dict[str, Any]:
        """What ``vmadm create`` is given; without a boot now, autoboot is off until ``settle``.

        Raises:
            InvalidMessage, Unsupported: the form cannot be laid out here.
        """
        payload = await self._laid_out()
        name = "payload" if self._params.payload is not None else "config"
        if payload.get("uuid", self._uuid) != self._uuid:
            raise InvalidMessage(f"params.{name}.uuid is not the command's uuid {self._uuid}; give one of them")
        payload["uuid"] = self._uuid
        if self._params.start is False or (self._params.start is True and payload.get("docker") is not True):
            payload["autoboot"] = self._params.start
        return payload

    async def settle(self) -> None:
        """Bring a machine that has just been made to what was asked for beside its creation."""
        if self._params.start is False and (await self._laid_out()).get("autoboot", True) is True:
            await self._tools.vmadm.update(self._uuid, {"autoboot": True})
        elif self._params.start is True:
            await self._tools.vmadm.start(self._uuid)

    async def _laid_out(self) -> dict[str, Any]:
        params = self._params
        if params.payload is not None:
            return dict(params.payload)
        dataset = params.dataset or {}
        if self.docker_name is not None:
            dataset = dataset_of(dataset, self._image or self.docker_name)
        facts = await host_facts(self._tools, dataset.get("uuid") if dataset.get("zone_type") == "docker" else None)
        return in_place(lambda: to_vmadm(params.package, dataset, params.config, facts))


async def update_payload(tools: Tools, params: MachineUpdate, machine: Mapping[str, Any]) -> dict[str, Any]:
    """What ``vmadm update`` is given for a machine as it is."""
    if params.payload is not None:
        return dict(params.payload)
    facts = await host_facts(tools)
    return in_place(lambda: create_update(machine, params.package, params.config, facts))


def in_place(translate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The translation of a form; its faults get the paths that a sender knows."""
    try:
        return translate()
    except InvalidMessage as fault:
        faults = [{**one, "path": f"$.params.{one['path']}"} for one in fault.details.get("faults", ())]
        raise InvalidMessage(fault.message, {**fault.details, "faults": faults}) from None


async def host_facts(tools: Tools, container_image: Any = None) -> HostFacts:
    """What a translation has to know of this host, and of a container's image when it is installed."""
    return HostFacts(
        total_memory_mib=await tools.memory.total_mib(),
        now_ms=int(time.time() * 1000),
        resolvers=tools.config().resolvers,
        image_config=await _config_of(tools, container_image),
    )


def images_of(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The images that a machine is made from, each once; what is no uuid vmadm refuses itself."""
    disks = payload.get("disks")
    listed = disks if isinstance(disks, list) else []
    named = [payload.get("image_uuid"), *(disk.get("image_uuid") for disk in listed if isinstance(disk, dict))]
    return tuple(dict.fromkeys(one for one in named if isinstance(one, str) and is_uuid(one)))


async def _config_of(tools: Tools, image: Any) -> Mapping[str, Any]:
    if not isinstance(image, str) or not is_uuid(image):
        return {}
    try:
        node: Any = await tools.imgadm.get(image)
    except NotFound:
        return {}
    for name in ("manifest", "tags", "docker:config"):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else {}
