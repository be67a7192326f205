from __future__ import annotations

import json
import stat
import tarfile

import pytest
from broken import HOST, Tree, broken, harmed
from cli_parts import chunter
from nsq_servers import free_port
from sweeps import swept

from chunter_nsq.diag.archive import gather
from chunter_nsq.doctor.examination import CHECKS, examine
from chunter_nsq.doctor.finding import State
from chunter_nsq.doctor.patient import Patient
from chunter_nsq.storage.account import Account

pytest_plugins = ["s3_servers"]
pytestmark = pytest.mark.counted
NOWHERE = Account(endpoint="http://127.0.0.1:1", bucket="none", access_key="a", secret_key="s")
KEPT = ("mistyped key", "broken journal", "newer journal", "no vmadm", "no nsqd", "clock years off", "mangling store")


@pytest.fixture
def tree(tmp_path, nsqd):
    """An installed tree that is well."""
    return Tree(tmp_path, nsqd)


async def test_a_tree_that_is_well_has_no_fault(tree):
    """Every check is told once at least, and nothing of it is a fault."""
    examined = await examine(Patient.admit(tree.paths))

    assert [] == [finding for one in examined for finding in one.findings if finding.state is State.FAULT]
    assert list(CHECKS) == [one.check for one in examined if one.findings]
    assert {"nsqd", "channel", "clock", "tools", "ip", "pools", "sqlite", "command keys"} <= {
        one.check for one in examined if {State.OK} == {finding.state for finding in one.findings}
    }


@pytest.mark.parametrize("name", swept((one.name for one in broken(NOWHERE)), KEPT))
async def test_what_is_broken_is_named(tree, account, name):
    """The check of what was broken says so with a remedy, on the doctor's page and on the first page of the archive."""
    one = next(each for each in broken(account) if each.name == name)
    async with harmed(tree, one):
        patient = Patient.admit(tree.paths)
        archive = await gather(patient)
    findings = json.loads(archive.members["doctor.json"])
    told = [each for each in findings if each["state"] == "fault" and one.words in each["says"]]

    assert {one.check} == {each["check"] for each in told}, findings
    assert "" != told[0]["remedy"]
    assert " ".join(one.words.split()) in " ".join(archive.first.split())
    if name != "broken journal":
        assert {one.check} == {each["check"] for each in findings if each["state"] == "fault"}


async def test_a_store_that_is_well_is_told_with_its_time(tree, account):
    """The probe leaves nothing behind."""
    keys = {"s3__access_key": account.access_key, "s3__secret_key": account.secret_key}
    tree.configure(s3__endpoint=account.endpoint, s3__bucket=account.bucket, **keys)
    examined = {one.check: one.findings for one in await examine(Patient.admit(tree.paths))}

    assert [(State.OK, True)] == [(one.state, "keeps what it is given" in one.says) for one in examined["store"]]


async def test_a_store_that_is_away_is_one_fault(tree, account):
    """Where nothing could be stored, nothing is to be removed."""
    keys = {"s3__access_key": account.access_key, "s3__secret_key": account.secret_key}
    tree.configure(s3__endpoint=f"http://127.0.0.1:{free_port()}", s3__bucket=account.bucket, **keys)
    examined = {one.check: one.findings for one in await examine(Patient.admit(tree.paths))}

    assert [(State.FAULT, True)] == [(one.state, "cannot begin the upload" in one.says) for one in examined["store"]]


async def test_a_store_is_tried_with_the_keys_of_the_environment(tree, account, monkeypatch, tmp_path):
    """Where chunter.conf has none; without any it is not tried, and said so."""
    tree.configure(s3__endpoint=account.endpoint, s3__bucket=account.bucket)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    bare = await chunter("doctor", "--root", str(tree.root), "--json")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", account.secret_key)
    tried = await chunter("doctor", "--root", str(tree.root), "--json")

    untried, kept = (
        [(one["state"], one["says"]) for one in ended.document["findings"] if one["check"] == "store"]
        for ended in (bare, tried)
    )
    assert [("warning", "s3.access_key and s3.secret_key are not set, nor are keys in this environment")] == untried
    assert [("ok", True, True)] == [
        (state, "keeps what it is given" in says, "the service needs them" in says) for state, says in kept
    ]


async def test_the_command_says_it_in_words_and_in_json(tree):
    """Exit status 0 with warnings alone, 1 with a fault; the last line counts."""
    well = await chunter("doctor", "--root", str(tree.root))
    assert (0, "") == (well.status, well.err)
    assert well.out.splitlines()[-1].startswith("no faults, ")

    (tree.root / "etc" / "hostid").write_text("")
    ill = await chunter("doctor", "--root", str(tree.root), "--json")
    assert (1, 1) == (ill.status, ill.document["faults"])
    assert {"check", "state", "says", "remedy"} == set(ill.document["findings"][0])


async def test_the_archive_is_one_file_for_its_owner(tree, tmp_path):
    """It has a first page, which is printed, and never takes the place of another file."""
    target = tmp_path / "out.tgz"
    made = await chunter("diag", "--root", str(tree.root), "-o", str(target))
    assert (0, "") == (made.status, made.err)
    with tarfile.open(target) as packed:
        names = packed.getnames()
        first = packed.extractfile("out/README.txt").read().decode()
    assert made.out.startswith(first)
    assert HOST in first
    assert 0o600 == stat.S_IMODE(target.stat().st_mode)
    assert {"out/journal.json", "out/doctor.json", "out/tools/zpool-status.txt"} <= set(names)

    again = await chunter("diag", "--root", str(tree.root), "-o", str(target))
    assert (1, True) == (again.status, "is there already" in again.err)
