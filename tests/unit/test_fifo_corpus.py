"""The translation against the recorded cases, where they are at hand."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest

from chunter_nsq.fifo.judge import judge

_CORPUS = Path(__file__).parents[3] / "shared" / "data" / "spec-cases.json"
_CASES = json.loads(_CORPUS.read_text())["cases"] if _CORPUS.exists() else []


def test_the_corpus_is_at_hand():
    """The recorded cases are there, or it is said that they are not."""
    if not _CASES and os.environ.get("CHUNTER_REQUIRE_ALL") != "1":
        pytest.skip(f"no recorded cases at {_CORPUS}")
    assert _CASES


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in _CASES])
def test_a_recorded_case_agrees(case):
    """A recorded case comes out as recorded, and its input stays as it was."""
    before = copy.deepcopy(case)
    assert case["expected"] == judge(case)
    assert before == case


def test_an_unknown_kind_is_told():
    """A case of a kind nobody knows is answered, not crashed on."""
    assert {"$error": "unsupported", "what": "kind to_jail"} == judge({"kind": "to_jail"})


def test_missing_forms_are_told():
    """A create without a package names the package."""
    assert {"$error": "missing", "what": "package"} == judge({"kind": "to_vmadm", "dataset": {"type": "zone"}})


def test_an_unsupported_brand_is_told():
    """A refusal for the brand's sake names the brand."""
    case = {"kind": "create_update", "package": {}, "original": {"brand": "ipkg"}}
    assert {"$error": "unsupported", "what": "brand"} == judge(case)


def test_resolvers_of_a_host_may_be_one_string():
    """A host's resolvers come as a list or as one string with commas."""
    case = {
        "kind": "to_vmadm",
        "package": {"uuid": "p", "ram": 1, "quota": 1, "cpu_cap": 100},
        "dataset": {"type": "zone", "uuid": "d"},
        "host": {"resolvers": "10.0.0.1,10.0.0.2"},
    }
    assert ["10.0.0.1", "10.0.0.2"] == judge(case)["resolvers"]
    assert ["10.0.0.3"] == judge(case | {"host": {"resolvers": ["10.0.0.3"]}})["resolvers"]
