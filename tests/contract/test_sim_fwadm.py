"""fwadm against a simulated host."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from simhost import NOBODY, WEB, Host

from chunter_nsq.cli.simulator import simulator
from chunter_nsq.smartos.simulator.firewall.fault import RuleFault
from chunter_nsq.smartos.simulator.firewall.rule import Rule

CORPUS = Path(__file__).parents[3] / "shared" / "data" / "fwrules.json"
SSH = "FROM any TO all vms ALLOW tcp PORT 22"
RULE = "3d64ac9a-2dd1-4a56-b3d9-b04b2d3e2f0a"
OTHER = "3d64ac9a-2dd1-4a56-b3d9-b04b2d3e2f0b"
OWNER = "00000000-0000-0000-0000-000000000000"
WEB_RULE = f"FROM tag role=www TO vm {WEB} BLOCK tcp port 80"
WEB_TEXT = f'FROM tag "role" = "www" TO vm {WEB} BLOCK tcp PORT 80'


def add(host: Host, **members: object) -> dict:
    """The rule that is kept of one that is given."""
    given = {"uuid": RULE, "rule": SSH, "global": True} | members
    kept = json.loads(host.out("fwadm", "add", "-j", stdin={"rules": [given]}))
    return kept["rules"][0]


def refusal(host: Host, *words: str, stdin: object = None) -> tuple[int, str]:
    """How a command ends that must not succeed, and what it says."""
    done = host.run("fwadm", *words, stdin=stdin)
    assert "" == done.stdout
    return done.returncode, done.stderr.rstrip("\n")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("from any to all vms allow TCP port 022", SSH),
        ("FROM tag b TO (ip 10.0.0.2 OR tag a=1 OR ip 10.0.0.1 OR tag a) BLOCK udp PORTS 9, 1-3",
         'FROM tag "b" TO (ip 10.0.0.1 OR ip 10.0.0.2 OR tag "a") BLOCK udp PORTS 1 - 3, 9'),
        ('FROM tag "a (b)\\u0041\\u2028" TO any ALLOW esp PRIORITY 07',
         'FROM tag "a \\(b\\)A\\u2028" TO any ALLOW esp PRIORITY 7'),
        ("FROM all vms TO any BLOCK icmp (TYPE 8 CODE 0 AND TYPE 3)",
         "FROM all vms TO any BLOCK icmp (TYPE 3 AND TYPE 8 CODE 0)"),
        ("FROM all vms TO any BLOCK icmp (TYPE 8 AND TYPE 3 CODE 1)",
         "FROM all vms TO any BLOCK icmp (TYPE 8 AND TYPE 3 CODE 1)"),
        ("FROM all vms TO any BLOCK icmp6 (TYPE 129 AND TYPE 128)",
         "FROM all vms TO any BLOCK icmp6 (TYPE 128 AND TYPE 129)"),
    ],
)  # fmt: skip
def test_a_rule_has_one_text(given: str, text: str):
    """However it was written; and that text means itself."""
    assert text == Rule(given).text
    assert text == Rule(text).text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("FROM any PERMIT", "Error at character 8: 'PERMIT', expected: 'TO', 'BLOCK', 'ALLOW', found: word"),
        ("FROM any ALLOW tcp", "Error at character 8: 'ALLOW', expected: 'TO', found: ALLOW"),
        ("FROM any\nTO vm\n", "Error at character 5: '', expected: 'WORD', found: EOF"),
        ("FROM any TO all vms ALLOW tcp PORTS 1,", "Error at character 38: '', expected: 'WORD', found: EOF"),
        ("FROM any TO all vms ALLOW tcp PORTS 1-2-3", '"1-2-3" is not a valid port number or range'),
        ("FROM any TO all vms ALLOW tcp PORTS 1 - ", "Error at character 39: '', expected: 'WORD', found: EOF"),
        ("FROM ip 1.2.3.4.5 TO any", "Error at character 15: '.5 TO any', found: unexpected text"),
        ("FROM ip 10.0.0.256x", "Error at character 18: 'x', expected: 'TO', ')', 'OR', 'BLOCK', 'ALLOW', found: word"),
        ("FROM tag a=b=c TO any", "Error at character 12: '=', expected: 'TO', ')', 'OR', 'BLOCK', 'ALLOW', found: ="),
        ("FROM subnet fd00::/129 TO any ALLOW ah", 'Subnet "fd00::/129" is invalid (bad prefix length)'),
        ("FROM subnet 300.0.0.0/8 TO any ALLOW ah", 'Subnet "300.0.0.0/8" is invalid (bad address component)'),
        ("FROM ip 10.0.0.1 TO all vms ALLOW icmp6 TYPE all", "rule affects ICMPv6 but contains a non-IPv6 address"),
        (f"FROM any TO all vms ALLOW tcp ({' AND '.join(['PORT 1'] * 25)})", "maximum of 24 ports allowed"),
        ("FROM tag \U0001f600 TO all vms", "Error at character 9: '\U0001f600 TO all vms', found: unexpected text"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(given: str, message: str):
    """What stands there, where, and what could have stood there."""
    with pytest.raises(RuleFault) as refused:
        Rule(given)
    assert message == str(refused.value)


def test_every_recorded_rule_comes_out_the_same(tmp_path: Path):
    """All cases of the corpus agree, and are dumped in order."""
    if not CORPUS.exists() and os.environ.get("CHUNTER_REQUIRE_ALL") != "1":
        pytest.skip(f"no recorded cases at {CORPUS}")
    done = CliRunner().invoke(simulator, ["judge", str(CORPUS), "--dump", str(tmp_path / "out.jsonl")])
    summary = json.loads(done.output.splitlines()[-1])
    assert ("fwrules", summary["cases"]) == (summary["kind"], summary["agree"]), done.output
    assert summary["cases"] == len((tmp_path / "out.jsonl").read_text().splitlines())


def test_a_rule_is_kept_in_its_text(host: Host):
    """Added from the command line it has an id and a version, and is enabled when asked for."""
    told = host.out("fwadm", "add", "-e", "-O", OWNER, *WEB_RULE.split()).splitlines()
    assert "Added rules:" == told[0]
    uuid = told[1][:36]
    assert f"{uuid} true    {WEB_TEXT}" == told[1]
    kept = json.loads(host.out("fwadm", "get", uuid))
    assert ["enabled", "log", "owner_uuid", "rule", "uuid", "version"] == list(kept)
    assert re.fullmatch(r"\d{13}\.\d{6,}", kept["version"])
    assert kept == json.loads((host.root / f"var/fw/rules/{uuid}.json").read_text())


def test_the_list_marks_what_is_false(host: Host):
    """A disabled rule has a dash where the others say true; a separator within a value is escaped."""
    add(host)
    add(host, uuid=OTHER, rule="FROM ip fd00::1 TO all vms ALLOW tcp PORT 1", enabled=True)
    assert [
        f"{RULE}:-:{SSH}",
        f"{OTHER}:true:FROM ip fd00\\:\\:1 TO all vms ALLOW tcp PORT 1",
    ] == host.out("fwadm", "list", "-p").splitlines()
    header, first, _ = host.out("fwadm", "list").splitlines()
    assert f"{'UUID':36} ENABLED RULE" == header.rstrip()
    assert f"{RULE} -       {SSH}" == first.rstrip()
    assert [{"rule": SSH, "uuid": RULE}] == json.loads(host.out("fwadm", "list", "-j", "-o", "uuid,rule"))[:1]
    assert (1, "Invalid display field: colour") == refusal(host, "list", "-o", "uuid,colour")
    assert (2, "-d requires -p") == refusal(host, "list", "-d", "|")


def test_a_rule_without_an_owner_must_be_global(host: Host):
    """Every fault of a rule has a line of its own; as a document when that is wanted."""
    assert (1, "owner_uuid required") == refusal(host, "add", stdin={"rule": SSH})
    both = {"rule": SSH, "global": True, "owner_uuid": OWNER}
    assert (1, "cannot specify both global and owner_uuid") == refusal(host, "add", stdin=both)
    status, told = refusal(host, "add", "-j", stdin={"rule": "", "owner_uuid": "me", "description": "x" * 256})
    assert (1, ["No rule specified", "Invalid owner UUID", "description must be shorter than 255 characters"]) == (
        status,
        [error["message"] for error in json.loads(told)["errors"]],
    )
    assert [] == json.loads(host.out("fwadm", "list", "-j"))


def test_a_dry_run_keeps_nothing(host: Host):
    """It tells what would be kept."""
    told = json.loads(
        host.out("fwadm", "add", "--dryrun", "-j", "-g", "from", "any", "to", "all", "vms", "allow", "ah")
    )
    assert ([], "FROM any TO all vms ALLOW ah") == (told["vms"], told["rules"][0]["rule"])
    assert [] == json.loads(host.out("fwadm", "list", "-j"))


def test_unknown_rules_are_refused_or_passed_over(host: Host):
    """Get and update refuse, each in its words; delete says nothing."""
    status, told = refusal(host, "get", RULE, "-j")
    assert (1, {"errors": [{"message": f'Unknown rule "{RULE}"', "code": "ENOENT"}]}) == (status, json.loads(told))
    assert (1, f"Unknown rule: {RULE}") == refusal(host, "enable", RULE)
    assert (1, 'Error: invalid UUID "x"') == refusal(host, "get", "x")
    assert "\n" == host.out("fwadm", "delete", RULE)


def test_a_rule_changes_and_goes(host: Host):
    """An update keeps what it does not name and gives a new version."""
    before = add(host, description="ours")
    assert f"Enabled rules:\n{RULE} true    {SSH}\n" == host.out("fwadm", "enable", RULE)
    told = host.out("fwadm", "update", RULE, "-O", OWNER, "FROM any TO tag x ALLOW ah")
    assert f'Updated rules:\n{RULE} true    FROM any TO tag "x" ALLOW ah\n' == told
    after = json.loads(host.out("fwadm", "get", RULE))
    assert ("ours", OWNER, False) == (after["description"], after["owner_uuid"], "global" in after)
    assert before["version"] < after["version"]
    assert f"Disabled rules:\n{RULE} false   {after['rule']}\n" == host.out("fwadm", "disable", RULE)
    assert f"Deleted rules:\n{RULE} false   {after['rule']}\n" == host.out("fwadm", "delete", RULE)
    assert "" == host.out("fwadm", "list", "-p")


def test_a_rule_concerns_the_vms_of_its_owner(host: Host):
    """By name, by tag and its value, all of them, or by address; of another owner none."""
    host.create(owner_uuid=NOBODY, tags={"role": "www", "hot": True}, firewall_enabled=True)
    add(host, uuid=RULE, rule=WEB_RULE)
    kept = host.out(
        "fwadm", "add", "-j", stdin={"uuid": OTHER, "rule": "FROM any TO tag role=db ALLOW ah", "owner_uuid": NOBODY}
    )
    assert [] == json.loads(kept)["vms"]
    assert f"{WEB}\n" == host.out("fwadm", "vms", RULE)
    assert [RULE] == [rule["uuid"] for rule in json.loads(host.out("fwadm", "rules", "-j", WEB))]
    host.out("fwadm", "update", OTHER, "FROM any TO tag role = www ALLOW ah")
    assert [WEB] == json.loads(host.out("fwadm", "vms", "-j", OTHER))
    host.out("fwadm", "update", OTHER, "-O", OWNER, "FROM any TO tag hot = true ALLOW ah")
    assert [] == json.loads(host.out("fwadm", "vms", "-j", OTHER))


def test_a_firewall_starts_and_stops(host: Host):
    """Which vmadm sees; statistics there are only while it runs."""
    host.create()
    add(host, rule=f"FROM ip 10.0.0.9 TO vm {WEB} ALLOW tcp (PORT 22 AND PORT 80)", enabled=True)
    assert "stopped\n" == host.out("fwadm", "status", WEB)
    assert (1, f'Firewall is not running for VM "{WEB}"') == refusal(host, "stats", WEB)
    assert f"Firewall started for VM {WEB}\n" == host.out("fwadm", "start", WEB)
    assert (True, "running\n") == (host.get()["firewall_enabled"], host.out("fwadm", "status", WEB))
    lines = host.out("fwadm", "stats", WEB).splitlines()
    assert "0 pass in quick proto tcp from 10.0.0.9 to any port = 22 keep frags" == lines[0]
    assert "0 block in all" == lines[2]
    assert f"Firewall stopped for VM {WEB}\n" == host.out("fwadm", "stop", WEB)
    assert {"running": False} == json.loads(host.out("fwadm", "status", "-j", WEB))
    assert (1, f"VM {NOBODY} not found") == refusal(host, "start", NOBODY)


def test_the_command_line_is_taken_apart(host: Host):
    """Unknown options and commands are told apart from rules that are wrong."""
    assert (2, 'unknown option: "-x"') == refusal(host, "list", "-x")
    assert (2, 'unknown command: "dance"') == refusal(host, "dance")
    assert (1, 'File "/nowhere" does not exist.') == refusal(host, "add", "-f", "/nowhere")
    assert (1, "Payload must contain one of: rules, localVMs, remoteVMs") == refusal(host, "add", stdin={})
    file = host.root / "tmp/rule.json"
    file.write_text(json.dumps({"rule": SSH}))
    assert "true    " in host.out("fwadm", "add", "-eg", f"--file={file}")
    assert host.out("fwadm", "help").startswith("Manage firewall rules")
