from __future__ import annotations

import pytest

from chunter_nsq.errors import (
    AlreadyExists,
    InsufficientResources,
    InvalidState,
    NotFound,
    ToolFailed,
    Unsupported,
)
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import Busy, PlatformUnavailable, check, refusal

U = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"


def ended(tool: str, status: int, stderr: str) -> Completed:
    """A tool that has ended so."""
    return Completed((f"usr/sbin/{tool}", "x"), status, b"", stderr, 0.1)


@pytest.mark.parametrize(
    ("tool", "status", "stderr", "fault"),
    [
        ("vmadm", 1, f"zoneadm: {U}: No such zone configured\n", NotFound),
        ("vmadm", 1, f"Unable to start VM {U}: bad statusCode: 404\n", NotFound),
        ("vmadm", 1, f"VM {U} not found\n", NotFound),
        ("vmadm", 1, f"Failed to delete VM {U}: VM {U} not found\n", NotFound),
        ("vmadm", 1, f'No snapshot named "x" for {U}\n', NotFound),
        ("zoneadm", 1, "zoneadm: web0: No such zone configured\n", NotFound),
        ("zfs", 1, "cannot open 'zones/x': dataset does not exist\n", NotFound),
        ("zfs", 1, "could not find any snapshots to destroy; check snapshot names.\n", NotFound),
        ("zfs", 1, "cannot release hold from snapshot 'zones/x@a': no such tag on this dataset\n", NotFound),
        ("imgadm", 3, f'imgadm get: error (ImageNotInstalled): image "{U}" was not found on zpool "zones"\n', NotFound),
        ("imgadm", 3, "", NotFound),
        ("imgadm", 1, f'imgadm import: error (ActiveImageNotFound): an active image "{U}" was not found\n', NotFound),
        ("vmadm", 1, f"VM with UUID {U} already exists\n", AlreadyExists),
        ("vmadm", 1, 'snapshot with name "x" already exists.\n', AlreadyExists),
        ("zfs", 1, "cannot create snapshot 'zones/x@a': dataset already exists\n", AlreadyExists),
        ("zfs", 1, "cannot hold snapshot 'zones/x@a': tag already exists on this dataset\n", AlreadyExists),
        ("zfs", 1, "cannot receive new filesystem stream: destination 'zones/x' exists\nmust\n", AlreadyExists),
        ("vmadm", 1, 'Unable to start VM: Cannot start vm from state "stopping", must be "stopped".\n', InvalidState),
        ("vmadm", 1, 'Cannot reboot vm from state "stopped", must be "running"\n', InvalidState),
        ("vmadm", 1, f"Failed to delete VM {U}: indestructible_zoneroot is set, cannot delete\n", InvalidState),
        ("vmadm", 1, f'Unable to delete VM {U} the following VMs are sharing its volumes: ["{U}"]\n', InvalidState),
        ("vmadm", 1, "Command failed: cannot destroy 'zones/x': unsupported version or feature\n", Unsupported),
        ("vmadm", 1, "Command failed: cannot destroy 'zones/x': out of space\n", InsufficientResources),
        ("vmadm", 1, 'updates to disks are only allowed when state is "stopped", currently: running\n', InvalidState),
        ("zoneadm", 1, "zoneadm: zone 'X': must be installed before boot.\n", InvalidState),
        ("zoneadm", 1, "zone 'X': halt operation is invalid for zones in state 'configured'\n", InvalidState),
        ("zoneadm", 1, "zoneadm: zone 'X': not running\n", InvalidState),
        ("zfs", 1, "cannot destroy 'zones/x': filesystem has children\nuse '-r' to destroy\n", InvalidState),
        ("zfs", 1, "cannot rollback to 'zones/x@a': more recent snapshots or bookmarks exist\n", InvalidState),
        ("imgadm", 1, f'imgadm delete: error (ImageHasDependentClones): image "{U}" has dependent clones: zones/a\n',
         InvalidState),
        ("zfs", 1, "cannot destroy snapshot zones/x@a: dataset is busy\n", Busy),
        ("zoneadm", 1, "another zoneadm may have an operation in progress.\n", Busy),
        ("zfs", 1, "cannot create snapshot 'zones/x@a': out of space\n", InsufficientResources),
        ("vmadm", 1, "Command failed: cannot create 'zones/x': out of space\n", InsufficientResources),
        ("zfs", 1, "cannot receive new: destination zones/x space quota exceeded\n", InsufficientResources),
        ("vmadm", 1, "Timeout option is only supported for bhyve, KVM and docker containers.\n", Unsupported),
        ("vmadm", 1, "snapshots for kvm VMs currently unsupported\n", Unsupported),
        ("vmadm", 1, f"Unable to get VM info for VM {U}: no info types supported for brand joyent\n", Unsupported),
        ("vmadm", 1, "connect ECONNREFUSED\n", PlatformUnavailable),
        ("vmadm", 1, "Something new went wrong\n", ToolFailed),
        ("vmadm", 2, f"Invalid or missing UUID for start: {U} not found\nUsage: vmadm\n", ToolFailed),
        ("zfs", 2, "invalid option 'p'\nusage:\n", ToolFailed),
    ],
)  # fmt: skip
def test_classes(tool: str, status: int, stderr: str, fault: type):
    """The tool's exit status and words decide which error it is."""
    assert fault is type(refusal(ended(tool, status, stderr), "do it"))


def test_voice():
    """The message says what was attempted and why it failed, in the tool's words; the evidence is whole."""
    stderr = "cannot open 'zones/x': dataset does not exist\n"

    fault = refusal(ended("zfs", 1, stderr), "list the datasets of zones/x")

    words = "cannot list the datasets of zones/x: cannot open 'zones/x': dataset does not exist (zfs, exit 1)"
    assert words == fault.message
    assert {"argv": ["usr/sbin/zfs", "x"], "exit_status": 1, "stderr": stderr} == fault.details


@pytest.mark.parametrize("status", [-6, 134])
def test_abort(status: int):
    """After an abort the effect is unknown, whatever the stack contains."""
    stderr = "\nUncaught Error: VM not found\nFROM\n    at Object.<anonymous> (/usr/vm/node_modules/VM.js:1:1)\n"

    fault = refusal(ended("vmadm", status, stderr), f"update VM {U}")

    assert (ToolFailed, "unknown") == (type(fault), fault.details["effect"])
    assert "died of SIGABRT, what it had done is unknown: Uncaught Error: VM not found" in fault.message


def test_other_signals():
    """A signal without a name has its number, and a large exit status is none."""
    assert "died of signal 40" in refusal(ended("vmadm", -40, ""), "x").message
    assert "it said nothing (vmadm, exit 255)" in refusal(ended("vmadm", 255, ""), "x").message


def test_words_on_standard_output():
    """A tool that complains on standard output only is quoted all the same."""
    fault = refusal(Completed(("usr/sbin/zfs",), 255, b"internal error: no pyzfs.py\n", "", 0.1), "list the holds")

    assert fault.message == "cannot list the holds: internal error: no pyzfs.py (zfs, exit 255)"


def test_faulty_payload():
    """The members that vmadm names as faulty are listed."""
    fault = refusal(ended("vmadm", 1, "Invalid value(s) for: ram,nics.0.ip\n"), "create a VM")

    assert ("payload", ["ram", "nics.0.ip"]) == (fault.details["reason"], fault.details["faults"])


@pytest.mark.parametrize(
    ("tool", "status", "stderr", "reason"),
    [
        ("vmadm", 2, "Invalid or missing UUID for start\nUsage: ...\n", "usage"),
        ("vmadm", 2, "FATAL: cannot run because: This can only be run as root.\n", "environment"),
        ("imgadm", 2, "imgadm: error: must be run as root\n", "environment"),
        ("vmadm", 1, "timed out waiting for zone to reboot\n", "waited"),
    ],
)
def test_reasons(tool: str, status: int, stderr: str, reason: str):
    """Of what has no class of its own the details still say the kind."""
    assert reason == refusal(ended(tool, status, stderr), "x").details["reason"]


def test_long_words():
    """Long words are cut in the message and in the details."""
    fault = refusal(ended("vmadm", 1, "y" * 100_000), "x")

    assert len(fault.message) < 600
    assert len(fault.details["stderr"]) == 4096


def test_warnings_are_no_failure():
    """Words on standard error with exit status 0 refuse nothing."""
    completed = ended("vmadm", 0, f"Unable to start VM {U}: VM {U} is already 'running'\n")

    assert completed is check(completed, "x")


def test_what_may_be_tried_again():
    """Only what could be right next time is marked transient."""
    assert (True, True) == (Busy.transient, PlatformUnavailable.transient)
    assert (False, False) == (InvalidState.transient, ToolFailed.transient)
