from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from nsq_servers import free_port

from chunter_nsq.cli.hosts import listing
from chunter_nsq.cli.main import chunter
from chunter_nsq.cli.status import report, uptime

STATE = {
    "host": "h1",
    "alias": "hv1",
    "version": "1",
    "uptime_seconds": 3700,
    "simulated": True,
    "missing": ["no nsqd to publish to"],
    "nsq": {
        "producer": {"connected": [], "last_error": "refused"},
        "consumers": [{"topic": "chunter.command", "connected": ["a:4150"]}],
    },
    "outbox": {"waiting": 2, "stored_bytes": 10},
    "running": [{"command": "c1", "action": "machine.create"}],
    "queued": 1,
    "publishers": [{"name": "zones", "state": "failing", "failures": 3}, {"name": "arc", "state": "ok", "failures": 0}],
    "tools": [{"argv": ["vmadm", "create"], "pid": 7}],
    "lag_seconds": 0.5,
}


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers with the server's own ``answer``."""

    def do_GET(self) -> None:
        """The status and the body, whatever is asked for."""
        status, body = self.server.answer  # type: ignore[attr-defined]  # put there by the fixture
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def agent(tmp_path) -> Iterator[http.server.HTTPServer]:
    """A status listener, and a tree in tmp_path whose configuration names it."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "chunter.conf").write_text(f"status_listen = 0.0.0.0:{server.server_port}\n")
    yield server
    server.shutdown()
    server.server_close()


def test_what_an_agent_tells_is_shown():
    """Links, outbox, work, failing publishers, tools, and what else there is."""
    expected = [
        "hv1 (h1), simulated: chunter 1, up 1 h 1 min",
        "not ready: no nsqd to publish to",
        "nsq         publishes NOT CONNECTED (refused)",
        "nsq         reads chunter.command from a:4150",
        "outbox      waiting 2, stored bytes 10",
        "commands    1 running, 1 queued",
        "  COMMAND  ACTION",
        "  c1       machine.create",
        "publishers  1 ok, 1 failing",
        "  NAME   STATE    FAILURES",
        "  zones  failing  3",
        "tool        vmadm create (process 7)",
        "lag_seconds  0.5",
    ]
    assert expected == list(report(STATE))


@given(
    st.dictionaries(
        st.sampled_from(list(STATE)),
        st.recursive(st.none() | st.text(max_size=3) | st.integers(), lambda inner: st.lists(inner, max_size=2)),
    )
)
def test_missing_and_odd_members_are_no_fault(told):
    """Agents of other versions tell other things."""
    assert list(report(told))


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (65, "1 min 5 s"), (90061, "1 d 1 h"), (None, "-"), (True, "-")]
)
def test_uptime_in_the_two_largest_units(seconds, text):
    """Nobody counts seconds of days."""
    assert text == uptime(seconds)


def test_the_agent_of_a_tree_is_asked(agent, tmp_path):
    """The configured listener answers, through loopback when it listens everywhere."""
    agent.answer = (200, json.dumps(STATE).encode())
    shown = CliRunner().invoke(chunter, ["status", "--root", str(tmp_path), "--json"])
    assert (0, STATE) == (shown.exit_code, json.loads(shown.stdout))


@pytest.mark.parametrize("verb", ["status", "ping", "connections", "update_memory"])
@pytest.mark.parametrize("file", ["hostid", "host_id"])
def test_another_hosts_agent_is_told_from_this_ones(agent, tmp_path, file, verb):
    """Both ids, the address, and status 1: what is well there says nothing of this tree's agent."""
    agent.answer = (200, json.dumps(STATE).encode())
    (tmp_path / "etc" / file).write_text("h2\n")
    shown = CliRunner().invoke(chunter, [verb, "--root", str(tmp_path)])
    assert (1, "") == (shown.exit_code, shown.stdout)
    assert f"127.0.0.1:{agent.server_port} is the agent of another host id, h1; {tmp_path} has h2." in shown.stderr


def test_the_agent_with_the_trees_host_id_is_shown(agent, tmp_path):
    """The id in etc/hostid and the one that is told are the same."""
    agent.answer = (200, json.dumps(STATE).encode())
    (tmp_path / "etc" / "hostid").write_text("h1\n")
    shown = CliRunner().invoke(chunter, ["status", "--root", str(tmp_path)])
    assert (0, True) == (shown.exit_code, shown.stdout.startswith("hv1 (h1)"))


def test_a_host_id_that_cannot_be_used_is_told(agent, tmp_path):
    """With the file, in words: whose agent answers is not known."""
    agent.answer = (200, json.dumps(STATE).encode())
    (tmp_path / "etc" / "hostid").write_text("\n")
    shown = CliRunner().invoke(chunter, ["status", "--root", str(tmp_path)])
    assert (1, "") == (shown.exit_code, shown.stdout)
    assert f"cannot be told: {tmp_path / 'etc' / 'hostid'} is empty" in shown.stderr


@pytest.mark.parametrize("answer", [(404, b"{}"), (200, b"hello"), (200, b"[]")])
def test_something_else_that_listens_is_told_from_an_agent(agent, tmp_path, answer):
    """Status 1 and its address."""
    agent.answer = answer
    shown = CliRunner().invoke(chunter, ["status", "--root", str(tmp_path)])
    assert (1, "") == (shown.exit_code, shown.stdout)
    assert f"127.0.0.1:{agent.server_port} is no agent" in shown.stderr


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("status_listen = 127.0.0.1:PORT", "no agent answers"),
        ("status_listen = off", "is off"),
        ("status_listen = 127.0.0.1:0", "port 0"),
        ("nonsense", "chunter config check"),
    ],
)
def test_without_an_answer_there_is_a_remedy(tmp_path, setting, told):
    """Status 1, the reason in words, and what to do."""
    (tmp_path / "chunter.conf").write_text(f"{setting}\n".replace("PORT", str(free_port())))
    shown = CliRunner().invoke(chunter, ["status", "--config", str(tmp_path / "chunter.conf")])
    assert (1, "") == (shown.exit_code, shown.stdout)
    assert told in shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_list_of_hosts_fits_and_says_when_one_is_simulated():
    """The column SIM appears only when it says something."""
    told = {"alias": "smartos01", "host": "06ee9412-9cad-4ced-a096-9d93a63ccaea", "ip": "192.168.100.100"}
    host = {**told, "version": "1.10.100", "capabilities": ["zone", "kvm", "bhyve", "lx"], "simulated": False}
    assert ["ALIAS", "HOST", "IP", "VERSION"] == listing([host])[0].split()
    lines = listing([host, {**host, "simulated": True}, {"alias": None}])
    assert ["ALIAS", "HOST", "IP", "VERSION", "SIM"] == lines[0].split()
    assert "(with --json also: can)" == lines[-1]
    assert max(map(len, lines)) <= 80
