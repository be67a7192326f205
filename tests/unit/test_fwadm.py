from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from marshmallow import ValidationError
from tool_scripts import shell_tool

from chunter_nsq.errors import InvalidMessage, NotFound, ToolFailed, Unsupported
from chunter_nsq.fifo.ownership import is_of
from chunter_nsq.fifo.reconciliation import mark, payload, reconcile, texts
from chunter_nsq.messages.firewall_params import FirewallUpdate
from chunter_nsq.messages.params import load
from chunter_nsq.smartos import fwadm
from chunter_nsq.smartos.fwadm import Fwadm
from chunter_nsq.smartos.refusal import UnreadableOutput
from chunter_nsq.smartos.runner import Runner

VM = "0f570678-c007-4610-a2c0-bbfcaab9f4e6"
OTHER = "163dcedb-828d-43c9-b076-625423250ee2"
RULE = "3d64ac9a-2dd1-4a56-b3d9-b04b2d3e2f0a"
OWNER = "00000000-0000-0000-0000-000000000000"
SSH = f"FROM any TO vm {VM} ALLOW tcp PORT 22"
WEB = f"FROM any TO vm {VM} ALLOW tcp PORT 80"
FORM = {"action": "allow", "direction": "inbound", "protocol": "tcp", "target": "all", "filters": [22]}
KEPT = {"uuid": RULE, "rule": SSH, "enabled": True, "owner_uuid": OWNER, "version": "1.000001", "log": False}


def tool(root: Path, body: str) -> Fwadm:
    """Fwadm on an executable of the test's own."""
    shell_tool(root, "fwadm", body)
    return Fwadm(Runner(root), 10.0)


def refusing(root: Path, *messages: str) -> Fwadm:
    """Fwadm on an executable that refuses everything."""
    told = json.dumps({"errors": [{"message": message} for message in messages]})
    return tool(root, f"cat >&2 <<'END'\n{told}\nEND\nexit 1")


def test_argument_vectors():
    """What is typed; rules never are, they go to standard input."""
    assert ("usr/sbin/fwadm", "list", "-j") == fwadm.list_argv()
    assert ("usr/sbin/fwadm", "rules", "-j", VM) == fwadm.rules_argv(VM)
    assert ("usr/sbin/fwadm", "add", "-j") == fwadm.add_argv()
    assert ("usr/sbin/fwadm", "add", "--dryrun", "-j") == fwadm.add_argv(dry_run=True)
    assert ("usr/sbin/fwadm", "delete", "-j", RULE, OTHER) == fwadm.delete_argv([RULE, OTHER])
    assert ("usr/sbin/fwadm", "start", "-j", VM) == fwadm.start_argv(VM)
    assert ("usr/sbin/fwadm", "stop", "-j", VM) == fwadm.stop_argv(VM)
    assert {"rules": [{"rule": SSH}]} == json.loads(fwadm.payload_bytes([{"rule": SSH}]))


@pytest.mark.parametrize(
    "argv", [fwadm.rules_argv, fwadm.start_argv, fwadm.stop_argv, lambda u: fwadm.delete_argv([u])]
)
def test_a_name_that_is_none_starts_nothing(argv):
    """A uuid is checked before it reaches the command line."""
    with pytest.raises(InvalidMessage):
        argv("-x")


@pytest.mark.parametrize(
    ("stderr", "messages"),
    [
        ('{"errors": [{"message": "a", "code": "ENOENT"}, {"message": "b"}]}\n', ("a", "b")),
        ("Unknown rule", ()),
        ('{"errors": 5}', ()),
        ("[]", ()),
    ],
)
def test_a_complaint_is_read(stderr: str, messages: tuple[str, ...]):
    """The messages of a document; nothing of anything else."""
    assert messages == fwadm.parse_complaint(stderr)


async def test_rules_are_read(tmp_path: Path):
    """As fwadm tells them."""
    assert (KEPT,) == await tool(tmp_path, f"echo '{json.dumps([KEPT])}'").list()


async def test_a_payload_arrives_on_standard_input(tmp_path: Path):
    """What is added is what was told, quotes and all."""
    odd = {"rule": 'FROM any TO tag "it\'s \\"x\\"" ALLOW ah', "uuid": RULE}
    assert (odd,) == await tool(tmp_path, "cat").add([odd])


@pytest.mark.parametrize("output", ['{"rules": []}', '{"rules": [{"uuid": "x"}]}', '{"vms": []}', "[]"])
async def test_a_success_without_the_rules_is_not_believed(tmp_path: Path, output: str):
    """Texts to compare come whole or not at all."""
    with pytest.raises(UnreadableOutput):
        await tool(tmp_path, f"echo '{output}'").canonical([{"rule": SSH}])


@pytest.mark.parametrize(
    ("messages", "kind"),
    [
        (["Error at character 19: 'PERMIT', expected: 'TO', 'BLOCK', 'ALLOW', found: word"], InvalidMessage),
        (['Port number "70000" is invalid', "description must be shorter than 255 characters"], InvalidMessage),
        (["rule does not affect VMs"], InvalidMessage),
        ([f"Unknown rule: {RULE}"], NotFound),
        ([f"VM {VM} not found"], NotFound),
        (["Error reading the rules"], ToolFailed),
    ],
)  # fmt: skip
async def test_a_refusal_has_its_kind_and_its_words(tmp_path: Path, messages: list[str], kind: type[Exception]):
    """A rule that is wrong is the sender's fault; the words are the tool's own."""
    with pytest.raises(kind, match="cannot add 1 firewall rules") as refused:
        await refusing(tmp_path, *messages).add([{"rule": SSH}])
    assert messages[0] in str(refused.value)
    assert 1 == refused.value.details["exit_status"]


async def test_words_that_are_no_document_are_kept(tmp_path: Path):
    """A crash of the tool is told as it is."""
    with pytest.raises(ToolFailed, match="TypeError: boom"):
        await tool(tmp_path, "echo 'TypeError: boom' >&2; exit 8").list()


def test_both_forms_become_texts_in_their_order():
    """A fault names the place of its rule among all of them."""
    assert ("FROM x", SSH) == texts(VM, ["FROM x", FORM])
    with pytest.raises(InvalidMessage, match=r"rules\[1\]\.action"):
        texts(VM, ["FROM x", FORM | {"action": "permit"}])
    with pytest.raises(Unsupported, match=r"the stack in rules\[2\]\.target"):
        texts(VM, ["FROM x", FORM, FORM | {"target": {"stack": OTHER}}])


def test_a_mark_is_short_and_names_the_machine():
    """The platform takes 255 characters, and a rule is its machine's and nobody else's."""
    assert {"vm": VM} == json.loads(base64.b64decode(mark(VM).removeprefix("fifo:")))
    assert len(mark(VM)) <= 255
    assert (True, False) == (is_of(VM, {"description": mark(VM)}), is_of(OTHER, {"description": mark(VM)}))


def test_only_what_differs_is_changed():
    """Missing rules come, surplus ones go, twins are one; others' rules are not looked at."""
    ours = payload(VM, OWNER, SSH) | {"uuid": RULE}
    surplus = payload(VM, OWNER, "FROM any TO all vms ALLOW ah") | {"uuid": OTHER}
    foreign = payload(OTHER, OWNER, "x") | {"uuid": VM}
    found = reconcile(VM, OWNER, [SSH, WEB, WEB], [ours, surplus, foreign, {"uuid": OWNER, "rule": SSH}])
    assert ((payload(VM, OWNER, WEB),), (surplus,), (ours,)) == (found.add, found.delete, found.keep)


@pytest.mark.parametrize("change", [{"owner_uuid": OTHER}, {"enabled": False}])
def test_a_rule_that_is_not_at_work_is_replaced(change):
    """Of another owner it concerns nobody, disabled it does nothing."""
    stale = payload(VM, OWNER, SSH) | {"uuid": RULE} | change
    found = reconcile(VM, OWNER, [SSH], [stale])
    assert ((payload(VM, OWNER, SSH),), (stale,), ()) == (found.add, found.delete, found.keep)


def test_the_second_of_two_alike_goes():
    """As a crash between two adds may leave them."""
    twins = [payload(VM, OWNER, SSH) | {"uuid": uuid} for uuid in (RULE, OTHER)]
    found = reconcile(VM, OWNER, [SSH], twins)
    assert ((), (twins[1],), (twins[0],)) == (found.add, found.delete, found.keep)


def test_parameters():
    """Rules are objects or texts; none at all are good, and each wrong one is named."""
    assert FirewallUpdate(rules=(SSH, FORM), owner=OWNER) == load(
        FirewallUpdate, {"rules": [SSH, FORM], "owner": OWNER}
    )
    assert () == load(FirewallUpdate, {"rules": []}).rules
    with pytest.raises(ValidationError) as refused:
        load(FirewallUpdate, {"rules": [SSH, 5, " ", {}], "owner": "me"})
    assert {"rules", "owner"} == set(refused.value.messages)
    assert [1, 2, 3] == list(refused.value.messages["rules"])
    with pytest.raises(ValidationError):
        load(FirewallUpdate, {"rules": SSH})
