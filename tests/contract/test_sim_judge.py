"""Our verdicts beside those of the platform's own code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from chunter_nsq.cli.simulator import simulator

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", ["vmadm-verdicts", "vmadm-matrix", "zone-xml", "spec-cases"])
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
