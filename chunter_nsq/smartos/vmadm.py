"""VMs, through ``vmadm``: what a handler means, and what is typed.

vmadm speaks on standard error, good news included; only its exit status says how it went. Starting what runs and
stopping what is stopped are successes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from chunter_nsq.errors import InvalidMessage, NotFound
from chunter_nsq.smartos.documents import read_object, read_objects
from chunter_nsq.smartos.names import checked, checked_uuid, is_host_path
from chunter_nsq.smartos.refusal import check, unreadable
from chunter_nsq.smartos.runner import Completed, Lines, Runner
from chunter_nsq.smartos.stars import secrets_of

VMADM = "usr/sbin/vmadm"
_CREATED = re.compile(r"Successfully created VM ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_FIELD = re.compile(r"[a-z][A-Za-z0-9_.*]{0,99}")
_BOOT_ORDER = re.compile(r"[cdn]{1,3}")
_GRACE_MARGIN_SECONDS = 60.0


def get_argv(uuid: str) -> tuple[str, ...]:
    """One VM as a JSON object."""
    return (VMADM, "get", checked_uuid(uuid))


def lookup_argv(fields: Sequence[str] | None = None) -> tuple[str, ...]:
    """All VMs as a JSON list, or only some of their properties."""
    if fields is None:
        return (VMADM, "lookup", "-j")
    names = (checked(field, _is_field, "a VM's property") for field in fields)
    return (VMADM, "lookup", "-j", "-o", ",".join(names))


def info_argv(uuid: str, types: Sequence[str] = ()) -> tuple[str, ...]:
    """What the hypervisor knows of a running KVM or bhyve VM."""
    return (VMADM, "info", checked_uuid(uuid), *(checked(name, _is_field, "a type of info") for name in types))


def create_argv() -> tuple[str, ...]:
    """A new VM; the payload goes to standard input."""
    return (VMADM, "create")


def update_argv(uuid: str) -> tuple[str, ...]:
    """A changed VM; the payload goes to standard input."""
    return (VMADM, "update", checked_uuid(uuid))


def start_argv(uuid: str, cdrom: str | None = None, once: str | None = None) -> tuple[str, ...]:
    """A boot, perhaps once from another device (``once``: letters of c, d, n) or from an ISO image."""
    argv: tuple[str, ...] = (VMADM, "start", checked_uuid(uuid))
    if cdrom is not None or once is not None:
        order = checked("d" if once is None else once, _is_boot_order, "a boot order of the letters c, d and n")
        argv += (f"order=cd,once={order}",)
    if cdrom is not None:
        argv += (f"cdrom={checked(cdrom, is_host_path, 'an absolute path')},ide",)
    return argv


def stop_argv(uuid: str, *, force: bool = False, grace_seconds: int | None = None) -> tuple[str, ...]:
    """A shutdown, or a halt at once; the grace time is for KVM, bhyve and docker VMs only."""
    argv: tuple[str, ...] = (VMADM, "stop", checked_uuid(uuid))
    if force:
        argv += ("-F",)
    return argv if grace_seconds is None else (*argv, "-t", str(int(grace_seconds)))


def reboot_argv(uuid: str, *, force: bool = False) -> tuple[str, ...]:
    """A reboot, or a reset at once."""
    return (VMADM, "reboot", checked_uuid(uuid), *(("-F",) if force else ()))


def delete_argv(uuid: str) -> tuple[str, ...]:
    """A VM gone with its data."""
    return (VMADM, "delete", checked_uuid(uuid))


def console_argv(uuid: str) -> tuple[str, ...]:
    """The serial console of a kvm machine, which zlogin does not reach; Ctrl-] leaves it."""
    return (VMADM, "console", checked_uuid(uuid))


def events_argv() -> tuple[str, ...]:
    """Every change of every VM as JSON lines, beginning with all of them; runs until it is ended."""
    return (VMADM, "events", "-jr")


def parse_event(line: bytes) -> dict[str, Any] | None:
    """One event: ``{"type": "ready" | "create" | "modify" | "delete", ...}``; None when the line is not one."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("type"), str) else None


def parse_created(stderr: str) -> str | None:
    """The UUID in the success message of a create."""
    created = _CREATED.search(stderr)
    return created[1] if created else None


def payload_bytes(payload: Mapping[str, Any]) -> bytes:
    """A payload as it is written to standard input; raises InvalidMessage for what JSON cannot say."""
    try:
        return json.dumps(dict(payload), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as fault:
        raise InvalidMessage(f"the payload cannot be written as JSON: {fault}; nothing was started") from fault


class Vmadm:
    """``vmadm``; each call costs 0.3 s of CPU or more, so a listing is not for polling: follow ``events``."""

    def __init__(self, runner: Runner, timeout_seconds: float) -> None:
        self._runner = runner
        self.timeout_seconds = timeout_seconds

    async def get(self, uuid: str) -> dict[str, Any]:
        """One VM; raises NotFound."""
        return read_object(await self._look(get_argv(uuid), f"get VM {uuid}"), f"get VM {uuid}")

    async def lookup(self, fields: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """All VMs, in full or with some properties only."""
        return read_objects(await self._look(lookup_argv(fields), "list the VMs"), "list the VMs")

    async def info(self, uuid: str, types: Sequence[str] = ()) -> dict[str, Any]:
        """What the hypervisor knows of a VM; raises InvalidState unless it runs, Unsupported for a zone."""
        attempted = f"get info of VM {uuid}"
        return read_object(await self._look(info_argv(uuid, types), attempted), attempted)

    async def create(self, payload: Mapping[str, Any]) -> str:
        """Make a VM and return its UUID. A failure may leave parts of it behind: delete it then."""
        uuid = payload.get("uuid")
        attempted = f"create VM {checked_uuid(uuid)}" if uuid is not None else "create a VM"
        completed = await self._change(create_argv(), attempted, payload)
        created = uuid or parse_created(completed.stderr)
        if not created:
            raise unreadable(completed, attempted, "it did not say which VM it made")
        return str(created)

    async def update(self, uuid: str, payload: Mapping[str, Any]) -> None:
        """Change a VM; what vmadm does not know in the payload it drops silently."""
        await self._change(update_argv(uuid), f"update VM {uuid}", payload)

    async def start(self, uuid: str, cdrom: str | None = None, once: str | None = None) -> None:
        """Boot a VM; one that runs already is a success."""
        await self._change(start_argv(uuid, cdrom, once), f"start VM {uuid}")

    async def stop(self, uuid: str, *, force: bool = False, timeout_seconds_grace: int | None = None) -> None:
        """Shut a VM down, or halt it at once; one that is stopped already is a success."""
        argv = stop_argv(uuid, force=force, grace_seconds=timeout_seconds_grace)
        seconds = max(self.timeout_seconds, (timeout_seconds_grace or 0) + _GRACE_MARGIN_SECONDS)
        await self._change(argv, f"stop VM {uuid}", timeout_seconds=seconds)

    async def reboot(self, uuid: str, *, force: bool = False) -> None:
        """Reboot a running VM; raises InvalidState for others."""
        await self._change(reboot_argv(uuid, force=force), f"reboot VM {uuid}")

    async def delete(self, uuid: str) -> None:
        """Remove a VM with its data; one that is gone already is a success."""
        try:
            await self._change(delete_argv(uuid), f"delete VM {uuid}")
        except NotFound:
            return

    def events(self) -> AbstractAsyncContextManager[Lines]:
        """The stream of events, a JSON document a line; any end of it means: begin anew and look at everything."""
        # noted as changing tools are: a stream that outlives a killed agent is found by the next one, and ended
        return self._runner.lines(events_argv(), mutates=True)

    async def _look(self, argv: tuple[str, ...], attempted: str) -> Completed:
        return check(await self._runner.run(argv, timeout_seconds=self.timeout_seconds), attempted)

    async def _change(
        self,
        argv: tuple[str, ...],
        attempted: str,
        payload: Mapping[str, Any] | None = None,
        timeout_seconds: float | None = None,
    ) -> Completed:
        completed = await self._runner.run(
            argv,
            stdin=b"" if payload is None else payload_bytes(payload),
            timeout_seconds=timeout_seconds or self.timeout_seconds,
            secrets=() if payload is None else secrets_of(payload),
            mutates=True,
        )
        return check(completed, attempted)


def _is_field(value: str) -> bool:
    return _FIELD.fullmatch(value) is not None


def _is_boot_order(value: str) -> bool:
    return _BOOT_ORDER.fullmatch(value) is not None
