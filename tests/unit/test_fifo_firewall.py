"""FiFo's firewall rules -> fwadm's."""

from __future__ import annotations

import base64

import pytest

from chunter_nsq.errors import InvalidMessage, Unsupported
from chunter_nsq.fifo.firewall import rule_texts
from chunter_nsq.fifo.ownership import is_of
from chunter_nsq.fifo.reconciliation import mark

VM = "0f570678-c007-4610-a2c0-bbfcaab9f4e6"
OTHER = "163dcedb-828d-43c9-b076-625423250ee2"
RULE = {"action": "allow", "direction": "inbound", "protocol": "tcp", "target": "all", "filters": [22]}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, f"FROM any TO vm {VM} ALLOW tcp PORT 22"),
        ({"filters": [22, 80]}, f"FROM any TO vm {VM} ALLOW tcp (PORT 22 AND PORT 80)"),
        (
            {"action": "block", "direction": "outbound", "target": {"ip": "10.0.0.1"}, "protocol": "udp"}
            | {"filters": "all"},
            f"FROM vm {VM} TO ip 10.0.0.1 BLOCK udp PORT all",
        ),
        (
            {"target": {"subnet": "10.0.0.0", "mask": 8}, "protocol": "icmp"}
            | {"filters": [{"type": 8}, {"type": 3, "code": 1}]},
            f"FROM subnet 10.0.0.0/8 TO vm {VM} ALLOW icmp (TYPE 8 AND TYPE 3 CODE 1)",
        ),
        ({"protocol": "icmp", "filters": "all"}, f"FROM any TO vm {VM} ALLOW icmp TYPE all"),
        ({"protocol": "icmp", "filters": [{"type": 0, "code": 0}]}, f"FROM any TO vm {VM} ALLOW icmp TYPE 0 CODE 0"),
        ({"target": {"ip": "FD00::0:1"}}, f"FROM ip fd00::1 TO vm {VM} ALLOW tcp PORT 22"),
        ({"target": {"subnet": "fd00::", "mask": 64}}, f"FROM subnet fd00::/64 TO vm {VM} ALLOW tcp PORT 22"),
        ({"target": {"vm": OTHER.upper()}}, f"FROM vm {OTHER} TO vm {VM} ALLOW tcp PORT 22"),
    ],
)
def test_a_rule_has_a_text(change, text):
    """Each form of a rule has its one text."""
    assert (text,) == rule_texts(VM, [RULE | change])


@pytest.mark.parametrize("group", ["cluster", "stack", "network"])
def test_a_group_is_refused_not_widened(group):
    """A target that fwadm has no word for is refused, with its place and what to do instead."""
    with pytest.raises(Unsupported, match=rf"the {group} in rules\[1\]\.target; give a rule for each"):
        rule_texts(VM, [RULE, RULE | {"target": {group: OTHER}}])


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"action": "ALLOW"}, "action"),
        ({"direction": None}, "direction"),
        ({"protocol": "esp"}, "protocol"),
        ({"target": "any"}, "target"),
        ({"target": {}}, "target"),
        ({"target": {"ip": "10.0.0.1", "mask": 8}}, "target"),
        ({"target": {"ip": "10.0.0.256"}}, "target.ip"),
        ({"target": {"ip": 167772161}}, "target.ip"),
        ({"target": {"ip": "fe80::1%net0"}}, "target.ip"),
        ({"target": {"subnet": "10.0.0.0", "mask": 33}}, "target.mask"),
        ({"target": {"subnet": "10.0.0.0 TO any ALLOW", "mask": 1}}, "target.subnet"),
        ({"target": {"vm": "all vms"}}, "target.vm"),
        ({"filters": []}, "filters"),
        ({"filters": list(range(1, 26))}, "filters"),
        ({"filters": [22, 0]}, "filters[1]"),
        ({"filters": [True]}, "filters[0]"),
        ({"filters": ["22"]}, "filters[0]"),
        ({"protocol": "icmp"}, "filters[0]"),
        ({"protocol": "icmp", "filters": [{"type": 256}]}, "filters[0].type"),
        ({"protocol": "icmp", "filters": [{"type": 3, "code": -1}]}, "filters[0].code"),
        ({"protocol": "icmp", "filters": [{"type": 3, "cod": 1}]}, "filters[0]"),
        ({"protocol": "icmp", "filters": "all", "target": {"ip": "fd00::1"}}, "target"),
    ],
)
def test_a_malformed_rule_is_refused_at_its_place(change, place):
    """Whatever is wrong with a rule is named by its place."""
    with pytest.raises(InvalidMessage) as refusal:
        rule_texts(VM, [RULE | change])
    assert f"rules[0].{place}" == refusal.value.details["faults"][0]["path"]


@pytest.mark.parametrize("rule", [{}, None, "FROM any TO any", []])
def test_no_rule_is_no_text(rule):
    """Something that is no rule at all never gives a text."""
    with pytest.raises(InvalidMessage):
        rule_texts(VM, [rule])


def test_a_name_that_is_no_uuid_gets_nowhere():
    """Only a uuid reaches the text of a rule."""
    with pytest.raises(InvalidMessage, match="uuid is invalid"):
        rule_texts("all vms", [RULE])


@pytest.mark.parametrize(
    ("told", "ours"),
    [
        (mark(VM), True),
        ("fifo:" + base64.b64encode(b"\x83h\x02m\x00\x00\x00$" + VM.encode()).decode(), True),
        ("fifo:" + base64.b64encode(b"\x83h\x02m\x00\x00\x00$" + OTHER.encode()).decode(), False),
        ("fifo:" + base64.b64encode(b"[]").decode(), False),
        ("fifo:" + base64.b64encode(b"\xff").decode(), False),
        ("fifo:***", False),
        ("fifo:ä", False),
        ("web server", False),
        (None, False),
    ],
)
def test_a_description_tells_whose_rule_it_is(told, ours):
    """A rule is a VM's own when its description says so, in this agent's form or its predecessor's."""
    assert ours is is_of(VM, {"uuid": "1", "description": told})
