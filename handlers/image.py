"""image.*: what machines are made from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, cast

from chunter_nsq.actions import Done, Lane, Progress, Yield, action
from chunter_nsq.endings import TOOLS
from chunter_nsq.errors import InsufficientResources, InvalidState, NotFound
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.image_params import ImageImport, ImageNamed
from chunter_nsq.smartos import imgadm
from chunter_nsq.smartos.docker_names import canonical
from chunter_nsq.smartos.imgadm import Image, image_from
from chunter_nsq.smartos.names import is_uuid
from chunter_nsq.tools import Tools


def _image(command: Command) -> str:
    """Commands for one image wait for each other, as those for one machine do."""
    return canonical(command.params.image)


@action("image.list", group="image_api", errors=TOOLS)
async def listing(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """The installed images, each with the number of machines and disks made from it."""
    del command
    yield Done({"images": [asdict(one) for one in await tools.imgadm.list()]})


@action(
    "image.import",
    form=ImageImport,
    lane=Lane.TRANSFER,
    group="image_api",
    cancellable=True,
    names=_image,
    errors={NotFound: "no source has it", InsufficientResources: "there is no space for it"} | TOOLS,
)
async def fetch(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Import an image, by uuid or by a docker name; one that is here is a success, one on its way is waited for."""
    params: ImageImport = command.params
    known = await _known(tools, params.image)
    if command.dry_run:
        argv = [] if known else [list(imgadm.import_argv(params.image, params.source))]
        installed = known is not None if is_uuid(params.image) else None  # which one a name means its registry knows
        yield Done({"dry_run": True, "argv": argv, "found": {"image": params.image, "installed": installed}})
        return
    uuid = params.image
    if known is None:
        asked = (await tools.work.record(command.id)).received
        stream = tools.imports.bring(params.image, params.source, asked=asked)
        async with aclosing(cast("Any", stream)):
            async for arrival in stream:
                if arrival.uuid is None:
                    yield Progress(f"importing image {params.image}", arrival.bytes_there)
                else:
                    uuid = arrival.uuid
        known = image_from(await tools.imgadm.get(uuid))
    yield Done({"image": asdict(known) if known else {"uuid": uuid}})


@action(
    "image.delete",
    form=ImageNamed,
    lane=Lane.MACHINE,
    group="image_api",
    names=_image,
    errors={
        NotFound: "there is no such image here",
        InvalidState: "machines were made from it, or it is just being imported",
    }
    | TOOLS,
)
async def delete(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Delete an image that nothing was made from."""
    params: ImageNamed = command.params
    known = await _known(tools, params.image)
    if command.dry_run:
        found = {"image": params.image, "installed": known is not None, "clones": known.clones if known else 0}
        yield Done({"dry_run": True, "argv": [list(imgadm.delete_argv(params.image))], "found": found})
        return
    if tools.imports.is_running(params.image):
        raise InvalidState(f"The image {params.image} is just being imported; delete it when it is there")
    if known is None and command.resumed is None:
        raise NotFound(f"There is no image {params.image} here", {"image": params.image})
    if known is not None:
        await tools.imgadm.delete(params.image)
    yield Done({"image": asdict(known) if known else {"uuid": params.image}})


async def _known(tools: Tools, image: str) -> Image | None:
    return next((one for one in await tools.imgadm.list() if one.uuid == image), None)
