"""Our verdicts beside those of the platform's own code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from chunter_nsq.cli.simulator import simulator

BASE64 = "01b2c898-945f-11e1-a523-af1afbe22822"
DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", ["vmadm-verdicts", "vmadm-matrix", "zone-xml", "fwrules", "spec-cases"])
def test_every_recorded_case_agrees(tmp_path, name):
    """All cases of a corpus come out as recorded, and are dumped in order."""
    corpus = DATA / f"{name}.json"
    if not corpus.exists() and os.environ.get("CHUNTER_REQUIRE_ALL") != "1":
        pytest.skip(f"no recorded cases at {corpus}")
    done = CliRunner().invoke(simulator, ["judge", str(corpus), "--dump", str(tmp_path / "out.jsonl")])
    summary = json.loads(done.output.splitlines()[-1])
    assert summary["cases"] == summary["agree"], done.output
    assert summary["cases"] == len((tmp_path / "out.jsonl").read_text().splitlines())


def test_a_disagreement_is_shown_and_fails(tmp_path):
    """What differs is named before the summary, and the exit status says so."""
    corpus = {"kind": "zone-xml", "cases": [{"id": "odd", "xml": "<zone brand='joyent'/>", "xml_vm": {"brand": "lx"}}]}
    file = tmp_path / "corpus.json"
    file.write_text(json.dumps(corpus))
    done = CliRunner().invoke(simulator, ["judge", str(file)])
    first, last = done.output.splitlines()
    assert (1, "odd", ["xml_vm"]) == (done.exit_code, json.loads(first)["case"], json.loads(first)["differs"])
    assert {"kind": "zone-xml", "cases": 1, "agree": 0} == json.loads(last)


def judged(tmp_path: Path, corpus: object) -> tuple[int, str, list[dict]]:
    """How judging a file of this content ends, what it says, and what it dumps."""
    file, dump = tmp_path / "corpus.json", tmp_path / "dump.jsonl"
    file.write_text(corpus if isinstance(corpus, str) else json.dumps(corpus))
    done = CliRunner().invoke(simulator, ["judge", str(file), "--dump", str(dump)])
    lines = dump.read_text().splitlines() if dump.exists() else []
    return done.exit_code, done.output, [json.loads(line) for line in lines]


def test_cases_that_say_nothing_are_dumped_all_the_same(tmp_path):
    """Every case has its line in the dump, in order; what was not told is no disagreement and no agreement."""
    rules = ["FROM any TO all vms ALLOW tcp PORT 1", "FROM nowhere"]
    status, said, dumped = judged(tmp_path, {"kind": "fwrules", "cases": [{"rule": rule} for rule in rules]})
    assert (0, {"kind": "fwrules", "cases": 2, "agree": 0}) == (status, json.loads(said))
    assert [{"verdict", "normalised"}, {"verdict", "error"}] == [set(ours) for ours in dumped]


def test_a_case_that_cannot_be_judged_costs_no_other(tmp_path):
    """What went wrong with it stands in its place of the dump, and counts against it."""
    told = {"rule": "FROM any TO all vms ALLOW tcp PORT 1", "verdict": "valid"}
    status, said, dumped = judged(tmp_path, {"kind": "fwrules", "cases": [{"verdict": "valid"}, told]})
    assert (1, 1) == (status, json.loads(said.splitlines()[-1])["agree"])
    assert (["fault"], "valid") == (list(dumped[0]), dumped[1]["verdict"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", 'no object with "kind"'),
        ({"kind": "fwrules"}, 'no object with "kind"'),
        ({"kind": "horoscopes", "cases": []}, "is of kind 'horoscopes'; known are fifo-spec, fwrules"),
        ({"kind": ["fwrules"], "cases": []}, "is of kind ['fwrules']"),
    ],
)
def test_a_file_without_cases_is_refused(tmp_path, content, said):
    """Status 2 and the reason; no dump is begun."""
    status, output, _ = judged(tmp_path, content)
    assert (2, True, False) == (status, said in output, (tmp_path / "dump.jsonl").exists())


def test_addresses_that_were_made_up_agree(tmp_path):
    """A MAC address that is not in the payload may be any, inside a message as well."""
    payload = {"uuid": "a0000000-0000-4000-8000-000000000001", "brand": "joyent", "image_uuid": BASE64}
    payload["nics"] = [{"nic_tag": "admin", "ips": ["10.0.0.300/24"]}]
    refused = 'Invalid IP for NIC: {"nic_tag":"admin","ips":["10.0.0.300/24"],"mac":"e2:01:02:03:04:05"}'
    case = {"op": "create", "brand": "joyent", "payload": payload, "verdict": "valid", "errors": None}
    case["apply"] = {"verdict": "rejected", "error": refused}
    status, said, _ = judged(tmp_path, {"kind": "vmadm-verdicts", "cases": [case]})
    assert (0, 1) == (status, json.loads(said)["agree"]), said
