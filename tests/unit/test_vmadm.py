from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from tool_scripts import shell_tool

from chunter_nsq.errors import InvalidMessage, NotFound, ToolFailed, Unsupported
from chunter_nsq.smartos import vmadm
from chunter_nsq.smartos.refusal import UnreadableOutput
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.vmadm import Vmadm

U = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
V = "usr/sbin/vmadm"


@pytest.fixture
def wrapper(tmp_path: Path) -> Vmadm:
    """The wrapper on a platform root whose vmadm each test writes."""
    return Vmadm(Runner(tmp_path), timeout_seconds=20)


@pytest.mark.parametrize(
    ("typed", "argv"),
    [
        ((V, "get", U), vmadm.get_argv(U)),
        ((V, "lookup", "-j"), vmadm.lookup_argv()),
        ((V, "lookup", "-j", "-o", "uuid,state,nics.*.ip"), vmadm.lookup_argv(["uuid", "state", "nics.*.ip"])),
        ((V, "info", U), vmadm.info_argv(U)),
        ((V, "info", U, "vnc", "block"), vmadm.info_argv(U, ["vnc", "block"])),
        ((V, "create"), vmadm.create_argv()),
        ((V, "update", U), vmadm.update_argv(U)),
        ((V, "start", U), vmadm.start_argv(U)),
        ((V, "start", U, "order=cd,once=d", "cdrom=/a/b.iso,ide"), vmadm.start_argv(U, cdrom="/a/b.iso")),
        ((V, "start", U, "order=cd,once=n"), vmadm.start_argv(U, once="n")),
        ((V, "stop", U), vmadm.stop_argv(U)),
        ((V, "stop", U, "-F"), vmadm.stop_argv(U, force=True)),
        ((V, "stop", U, "-t", "30"), vmadm.stop_argv(U, grace_seconds=30)),
        ((V, "reboot", U), vmadm.reboot_argv(U)),
        ((V, "reboot", U, "-F"), vmadm.reboot_argv(U, force=True)),
        ((V, "delete", U), vmadm.delete_argv(U)),
        ((V, "events", "-jr"), vmadm.events_argv()),
    ],
)
def test_argument_vectors(typed: tuple[str, ...], argv: tuple[str, ...]):
    """What is typed for what is meant."""
    assert typed == argv


@pytest.mark.parametrize(
    "build",
    [
        lambda: vmadm.get_argv("-F"),
        lambda: vmadm.lookup_argv(["-1"]),
        lambda: vmadm.lookup_argv(["a,b"]),
        lambda: vmadm.info_argv(U, ["-x"]),
        lambda: vmadm.start_argv(U, cdrom="a.iso"),
        lambda: vmadm.start_argv(U, cdrom="/a.iso,ide"),
        lambda: vmadm.start_argv(U, once="x"),
        lambda: vmadm.delete_argv(U.upper()),
        lambda: vmadm.payload_bytes({"a": float("nan")}),
        lambda: vmadm.payload_bytes({"a": object()}),
    ],
)
def test_refused_before_anything_starts(build):
    """A name that does not match its grammar starts nothing."""
    with pytest.raises(InvalidMessage, match="nothing was started"):
        build()


def test_created_uuid():
    """The UUID of a new VM stands in the success message."""
    assert vmadm.parse_created(f"warning\nSuccessfully created VM {U}\n") == U
    assert vmadm.parse_created("Successfully created VM of mine\n") is None


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b'{"type":"ready","vms":{}}', {"type": "ready", "vms": {}}),
        (b'{"type":"mod', None),
        (b"[]", None),
        (b'{"type":3}', None),
        (b"", None),
        (b"[" * 100_000, None),
    ],
)
def test_events(line: bytes, event):
    """A line of the event stream is read, or it is none."""
    assert event == vmadm.parse_event(line)


async def test_get(wrapper: Vmadm, tmp_path: Path):
    """A VM comes back as vmadm shows it."""
    shell_tool(tmp_path, "vmadm", """[ "$1" = get ] && printf '{"uuid": "%s", "device": null}\\n' "$2" """)

    assert await wrapper.get(U) == {"uuid": U, "device": None}


@pytest.mark.parametrize("words", ["", "null", "[]", '{"uuid": "dc5c', "FATAL"])
async def test_unreadable_output(wrapper: Vmadm, tmp_path: Path, words: str):
    """A success that prints something else is an error of its own, with what was printed."""
    shell_tool(tmp_path, "vmadm", f"printf '%s' '{words}'")

    with pytest.raises(UnreadableOutput, match=f"cannot get VM {U}: vmadm ended well, but") as raised:
        await wrapper.get(U)

    assert ("tool_failed", words) == (raised.value.code, raised.value.details["stdout"])


async def test_lookup(wrapper: Vmadm, tmp_path: Path):
    """All VMs come as a list, which may be empty."""
    shell_tool(tmp_path, "vmadm", """[ "$*" = "lookup -j -o uuid,state" ] && echo '[]'""")

    assert await wrapper.lookup(["uuid", "state"]) == []
    shell_tool(tmp_path, "vmadm", "echo '[1]'")
    with pytest.raises(UnreadableOutput):
        await wrapper.lookup()


async def test_create(wrapper: Vmadm, tmp_path: Path):
    """The payload goes to standard input; the UUID is learnt from the success message or from the payload."""
    shell_tool(tmp_path, "vmadm", f'cat > "{tmp_path}/payload"; echo "Successfully created VM {U}" >&2')
    payload = {"alias": "wéb", "ram": 512}

    assert await wrapper.create(payload) == U
    assert payload == json.loads((tmp_path / "payload").read_text())
    shell_tool(tmp_path, "vmadm", "cat >/dev/null")
    assert await wrapper.create(payload | {"uuid": U}) == U
    with pytest.raises(UnreadableOutput, match="it did not say which VM it made"):
        await wrapper.create(payload)


async def test_create_with_a_bad_uuid(wrapper: Vmadm, tmp_path: Path):
    """A payload whose uuid is none starts nothing."""
    shell_tool(tmp_path, "vmadm", f'touch "{tmp_path}/started"')

    with pytest.raises(InvalidMessage):
        await wrapper.create({"uuid": "../x"})
    assert not (tmp_path / "started").exists()


async def test_secrets_of_a_payload(wrapper: Vmadm, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A password in a payload that vmadm repeats is starred in the fault and in the log."""
    caplog.set_level(logging.DEBUG)
    shell_tool(tmp_path, "vmadm", "cat >/dev/null; echo 'Invalid value(s) for: vnc_password (geheim12)' >&2; exit 1")

    with pytest.raises(ToolFailed) as raised:
        await wrapper.create({"vnc_password": "geheim12"})

    assert "geheim12" not in str(raised.value.as_dict())
    assert "geheim12" not in str([record.__dict__ for record in caplog.records])


async def test_delete_of_what_is_gone(wrapper: Vmadm, tmp_path: Path):
    """Deleting a VM that is gone already is a success."""
    shell_tool(tmp_path, "vmadm", f'echo "Failed to delete VM {U}: VM {U} not found" >&2; exit 1')

    await wrapper.delete(U)
    with pytest.raises(NotFound):
        await wrapper.update(U, {})


async def test_already_there(wrapper: Vmadm, tmp_path: Path):
    """Starting what runs and stopping what is stopped are successes."""
    shell_tool(tmp_path, "vmadm", """echo "VM is already 'running'" >&2""")

    await wrapper.start(U)
    await wrapper.stop(U, force=True)
    await wrapper.reboot(U)


async def test_refused_grace_time(wrapper: Vmadm, tmp_path: Path):
    """Vmadm's own words come through when it refuses a grace time."""
    words = "Timeout option is only supported for bhyve, KVM and docker containers."
    shell_tool(tmp_path, "vmadm", f'echo "{words}" >&2; exit 1')

    with pytest.raises(Unsupported, match=words):
        await wrapper.stop(U, timeout_seconds_grace=30)


async def test_info(wrapper: Vmadm, tmp_path: Path):
    """What the hypervisor knows comes as an object."""
    shell_tool(tmp_path, "vmadm", """[ "$3" = vnc ] && echo '{"vnc": {"port": 37463}}'""")

    assert await wrapper.info(U, ["vnc"]) == {"vnc": {"port": 37463}}


async def test_event_stream(wrapper: Vmadm, tmp_path: Path):
    """The event stream is read line by line until it is left."""
    shell_tool(tmp_path, "vmadm", """[ "$*" = "events -jr" ] && echo '{"type":"ready","vms":{}}'; sleep 60""")

    async with wrapper.events() as lines:
        event = vmadm.parse_event(await anext(lines))

    assert event == {"type": "ready", "vms": {}}
