"""Nothing secret leaves the host in an archive, wherever it stood."""

from __future__ import annotations

import json
import os
import sqlite3
import tarfile
from collections.abc import Callable

import pytest
from cli_parts import start
from worlds import Ears, Host, payload

from chunter_nsq.diag.known import PROBLEMS, recognise
from chunter_nsq.diag.redaction import Redactor
from chunter_nsq.diag.sources import end_of

pytestmark = pytest.mark.counted

CANARIES = {
    name: f"canary-{name}-{os.urandom(5).hex()}"
    for name in (
        "s3", "auth_file", "retired", "key", "environment", "param", "metadata", "root_pw", "sentry", "zone",
        "logged", "old",
    )
}  # fmt: skip


async def test_no_canary_is_in_the_archive(ears: Ears, new_host: Callable[..., Host], tmp_path, monkeypatch) -> None:
    """Secrets of configuration, keys, environment, waiting commands, metadata and logs are starred; facts are not."""
    host = new_host(zones=1)
    secret_file = tmp_path / "auth.secret"
    secret_file.write_text(CANARIES["auth_file"])
    keys = tmp_path / "command.keys"
    keys.write_text(json.dumps({"ops": {"secret": CANARIES["key"]}}))
    host.latency(create=600)
    await host.start().ready()
    machine = payload(
        customer_metadata={"user-script": f"#!/bin/sh\nexport TOKEN={CANARIES['metadata']}\n", "root_pw": "x"},
        internal_metadata={"root_pw": CANARIES["root_pw"]},
    )
    command = host.send("machine.create", params={"payload": machine})
    await ears.until(lambda event: event["data"].get("command") == command)
    given = {"endpoint": "http://127.0.0.1:1", "bucket": "b", "access_key": "AK", "secret_key": CANARIES["param"]}
    failed = host.send("backup.create", uuid=_zone(host), params={"snapshot": "one", "s3": given})
    await ears.until(lambda event: event["data"].get("command") == failed)
    _leak(host)
    host.configure(
        **{
            "s3.access_key": "AKIA", "s3.secret_key": CANARIES["s3"], "nsq.auth_secret": f"@{secret_file}",
            "sentry.dsn": f"https://{CANARIES['sentry']}@sentry.example.org/1", "command_keys": str(keys),
            "# nsq.auth_secret": CANARIES["old"], "distributed_cookie": CANARIES["retired"],
        }
    )  # fmt: skip
    target = tmp_path / "diag.tgz"
    environment = {"AWS_SECRET_ACCESS_KEY": CANARIES["environment"]}
    made = await start("diag", "--root", str(host.root), "-o", str(target), environment=environment)
    out, err = await made.communicate()

    assert (0, b"") == (made.returncode, err), out
    with tarfile.open(target) as packed:
        texts = {one.name.partition("/")[2]: packed.extractfile(one).read().decode() for one in packed.getmembers()}
    texts["printed"] = out.decode()
    found = [(name, told) for name, secret in CANARIES.items() for told, text in texts.items() if secret in text]
    assert [] == found, found
    assert "***" in texts["config/chunter.conf"]
    assert "***" in texts["logs/agent.log"]
    journal = json.loads(texts["journal.json"])
    assert (command, "machine.create") == tuple(journal["oldest_unfinished"][name] for name in ("command", "action"))
    assert failed in [one["command"] for one in journal["recent"]]
    assert host.id == json.loads(texts["agent/status.json"])["host"]
    assert "a fault of a word" in texts["logs/agent.log"]


def _zone(host: Host) -> str:
    return next(one.stem for one in (host.platform / "etc" / "zones").glob("*-*.xml"))


def _leak(host: Host) -> None:
    """Secrets in a log as a careless program would leave them, and in a zone's metadata."""
    folder = host.platform / "zones" / _zone(host) / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps({"customer_metadata": {"note": CANARIES["zone"]}}))
    log = host.root / "var" / "log"
    log.mkdir(parents=True)
    leaked = [
        "a fault of a word",
        *(f"about {secret} in the middle" for name, secret in CANARIES.items() if name not in {"logged", "param"}),
        f'{{"password": "{CANARIES["logged"]}", "more": 1}}',
        json.dumps({"env": f"#!/bin/sh\nexport TOKEN={CANARIES['metadata']}\n"}),
    ]
    (log / "agent.log").write_text("\n".join(leaked) + "\n")


@pytest.mark.parametrize(
    "text",
    [
        "root:$6$abcdefgh$0123456789abcdef/xyz:1::",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabcdef\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA",
    ],
)
def test_what_looks_like_a_secret_is_starred(text):
    """Hashes and private keys are known by their shape."""
    redacted = Redactor((), ()).text(f"before {text} after")
    assert redacted.startswith("before ")
    assert "MIIE" not in redacted
    assert "$6$" not in redacted


def test_the_cut_of_a_long_log_goes_through_no_word(tmp_path):
    """What stands first is a whole line."""
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(1000)))
    kept = end_of(log, 105).splitlines()
    assert kept[0].startswith("(the last 105 of ")
    assert "line 999" == kept[-1]
    assert [f"line {number}" for number in range(1000 - len(kept) + 1, 1000)] == kept[1:]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("/opt/chunter/etc/chunter.conf:3: nope: unknown key", "configuration refused"),
        ('{"event": "agent.nameless", "reason": "etc/hostid is empty"}', "host id unusable"),
        ('{"event": "agent.second"}', "two agents on one tree"),
        ('{"event": "agent.unlistenable"}', "status address taken"),
        ("[ Nov 22 10:00:00 Method or service exit timed out; restarting too quickly, changing state to maintenance ]",
         "restarted too often"),
        ('{"event": "nsq.disconnected", "reason": "[Errno -2] Name or service not known"}', "name not resolved"),
        ('"reason": "nsqd 10.0.0.1:4150 does not offer TLS, and nothing is sent in the clear"', "TLS refused"),
        ('"reason": "nsqd 10.0.0.1:4150 refused: E_AUTH_FAILED"', "AUTH refused"),
        ("sqlite3.OperationalError: database or disk is full", "disk full"),
        ("sqlite3.DatabaseError: /opt/chunter/var/chunter.db: file is not a database", "journal broken"),
        ("OSError: [Errno 12] Not enough space", "memory or swap short"),
        ("ModuleNotFoundError: No module named 'tornado'", "installation incomplete"),
        ("An error occurred (SignatureDoesNotMatch) when calling", "store refuses the keys"),
    ],
)  # fmt: skip
def test_known_problems_are_recognised_by_their_traces(line, name):
    """Each is told with what it means, how often it stood there, and its newest line."""
    found = list(recognise({"agent.log": f"x\n{line}\ny\n{line} again\n"}))
    assert (name, 2, f"{line} again") in [(one.problem.name, one.count, one.line) for one in found]


def test_every_known_problem_has_a_remedy():
    """Sentences for people."""
    assert [] == [one.name for one in PROBLEMS if not one.means.endswith(".") or not one.remedy]


async def test_the_journal_is_read_while_it_is_written(host: Host, tmp_path) -> None:
    """Reading takes no lock that an agent would have to wait for."""
    with sqlite3.connect(host.root / "var" / "chunter.db", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        made = await start("diag", "--root", str(host.root), "-o", str(tmp_path / "d.tgz"))
        out, err = await made.communicate()
        writer.execute("ROLLBACK")
    writer.close()
    assert (0, b"") == (made.returncode, err), out
    with tarfile.open(tmp_path / "d.tgz") as packed:
        journal = json.load(packed.extractfile("d/journal.json"))
    assert journal["present"]
    assert "broken" not in journal
