"""Admission: what is run, what is refused, and how it is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from nsq_servers import Nsqd
from worlds import Ears, Host, new_uuid

from chunter_nsq.authority import signature


@pytest.fixture
def host(shared: Host) -> Host:
    """One for all whose agent may stay as it is."""
    return shared


async def test_a_ping_tells_who_answers(ears: Ears, host: Host) -> None:
    """host.ping answers with version, uptime and that the platform is simulated."""
    done = await ears.result(host.send("host.ping"))

    assert "succeeded" == done["status"]
    assert {"version", "uptime_seconds", "simulated"} == set(done["result"])
    assert done["result"]["simulated"] is True
    assert host.id == done["host"]


async def test_what_is_no_command_is_kept_whole(ears: Ears, host: Host, nsqd: Nsqd) -> None:
    """Bytes that are no JSON object come out as a dead letter that has all of them."""
    await asyncio.to_thread(nsqd.pub, host.topic, b"\xffnonsense")
    body = base64.b64encode(b"\xffnonsense").decode()
    dead = await ears.until(lambda e: e["type"] == "chunter.deadletter" and body == e["data"]["data"]["body"])
    assert "base64" == dead["data"]["data"]["encoding"]


async def test_the_same_id_runs_once(ears: Ears, host: Host) -> None:
    """A command published three times is run once; the other two answers say duplicate."""
    uuid = host.machine()
    command = host.send("machine.stop", uuid, params={"force": True})
    for _ in range(2):
        host.send("machine.stop", uuid, id=command, params={"force": True})

    await ears.when(lambda: 2 == sum(e["data"].get("duplicate") is True for e in ears.heard))
    await ears.result(command)

    stops = [argv for argv in host.invocations("vmadm") if "stop" in argv and uuid in argv]
    assert 1 == len(stops)
    assert 2 == sum(e["data"].get("duplicate") is True for e in ears.heard)
    host.send("machine.stop", uuid, id=command, params={"force": True})
    again = await ears.until(lambda e: e["data"].get("duplicate") is True and e["data"]["status"] == "succeeded")
    assert {"state": "stopped"} == again["data"]["result"]


async def test_a_mistyped_member_stops_nothing(ears: Ears, host: Host) -> None:
    """`parms` is refused by its name, with what was meant, and the machine goes on running."""
    uuid = host.machine()
    done = await ears.result(host.send("machine.stop", uuid, parms={"force": True}))

    assert "rejected" == done["status"]
    assert "invalid_message" == done["error"]["code"]
    faults = [{"path": "$.parms", "message": "unknown member; did you mean params?"}]
    assert faults == done["error"]["details"]["faults"]
    assert "running" == json.loads(host.tool("vmadm", "get", uuid).stdout)["state"]


async def test_all_faults_are_told_at_once(ears: Ears, host: Host) -> None:
    """Each wrong member is named with its path in one rejection."""
    done = await ears.result(
        host.send("machine.stop", "../../etc", params={"force": "yes", "timeout": -1, "tmeout": 3}, expires="soon")
    )

    paths = {fault["path"] for fault in done["error"]["details"]["faults"]}
    assert {"$.uuid", "$.expires", "$.params.force", "$.params.timeout", "$.params.tmeout"} == paths


async def test_an_expired_command_is_not_run(ears: Ears, host: Host) -> None:
    """A command whose time has passed ends as expired."""
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    done = await ears.result(host.send("host.ping", expires=past))

    assert "expired" == done["status"]
    assert "expired" == done["error"]["code"]


async def test_an_answer_goes_where_it_is_wanted(nsqd: Nsqd, host: Host) -> None:
    """`reply_to` names the topic of the results."""
    async with Ears(nsqd, "my.results") as mine:
        done = await mine.result(host.send("host.ping", reply_to="my.results"))

    assert "succeeded" == done["status"]


async def test_an_action_that_is_not_there_is_named(ears: Ears, host: Host) -> None:
    """An unknown action is rejected with the nearest one that there is."""
    done = await ears.result(host.send("machine.strat", new_uuid()))

    assert ("rejected", "unknown_action") == (done["status"], done["error"]["code"])
    assert "machine.start" in done["error"]["message"]


async def test_two_hosts_share_a_topic(ears: Ears, host: Host, new_host: Callable[..., Host]) -> None:
    """A command for one host is not run by the other; one for all is run by both; an alias is a name too."""
    first, second = host, await new_host().start().ready()
    own = await ears.result(first.send("host.ping"))
    both = first.send("host.ping", topic="chunter.command", host="*")
    await ears.when(lambda: 2 == len([e for e in ears.heard if e["data"].get("command") == both]))
    only = await ears.result(first.send("host.ping", topic="chunter.command", host=[second.id]))
    nobody = first.send("host.ping", topic="chunter.command", host="elsewhere")
    await ears.result(first.send("host.ping"))
    await ears.result(second.send("host.ping"))

    assert first.id == own["host"]
    assert second.id == only["host"]
    assert {first.id, second.id} == {e["data"]["host"] for e in ears.heard if e["data"].get("command") == both}
    assert [] == ears.statuses(nobody)


async def test_a_signed_host_takes_signed_commands_only(ears: Ears, new_host: Callable[..., Host]) -> None:
    """With command_keys a command needs a fresh signature of a key that may do it."""
    host = new_host()
    keys = host.root / "etc" / "keys.json"
    keys.write_text(json.dumps({"ops": {"secret": "0123456789abcdef", "allow": ["host.*"]}}))
    host.configure(command_keys=str(keys))
    await host.start().ready()

    def signed(action: str, nonce: str, **members: object) -> str:
        document = {"id": f"signed-{nonce}-{action}", "action": action, **members}
        document["auth"] = {"key": "ops", "ts": int(time.time()), "nonce": nonce}
        document["auth"]["hmac"] = signature(document, b"0123456789abcdef")
        host.nsqd.pub(host.topic, json.dumps(document).encode())
        return str(document["id"])

    assert "not_authorized" == (await ears.result(host.send("host.ping")))["error"]["code"]
    assert "succeeded" == (await ears.result(signed("host.ping", "nonce-one")))["status"]
    assert "not_authorized" == (await ears.result(signed("host.info", "nonce-one")))["error"]["code"]
    limited = await ears.result(signed("machine.list", "nonce-two"))
    assert "not_authorized" == limited["error"]["code"]


def _malformed(count: int) -> list[bytes]:
    """Messages of every wrong kind, each different from the others."""
    uuid = new_uuid()
    stop, take = {"action": "machine.stop", "uuid": uuid}, {"action": "snapshot.create", "uuid": uuid}
    kinds: list[Callable[[int], bytes]] = [
        lambda n: f"not json {n}".encode(),
        lambda n: b"\xff\xfe" + str(n).encode(),
        lambda n: json.dumps([n]).encode(),
        lambda n: json.dumps(f"text {n}").encode(),
        lambda n: json.dumps({"action": n}).encode(),
        lambda n: json.dumps({"action": "", "n": n}).encode(),
        lambda n: json.dumps({"action": "x" * (1000 + n)}).encode(),
        lambda n: json.dumps({**stop, "uuid": f"../../{n}"}).encode(),
        lambda n: json.dumps({**stop, "uuid": f"{uuid};{n}"}).encode(),
        lambda n: json.dumps({**stop, "uuid": f"{uuid}\n", "expires": n}).encode(),
        lambda n: json.dumps({**stop, "uuid": f"-F{n}"}).encode(),
        lambda n: json.dumps({**take, "params": {"snapshot": f"-r{n}"}}).encode(),
        lambda n: json.dumps({**take, "params": {"snapshot": f"../{n}"}}).encode(),
        lambda n: json.dumps({**take, "params": {"snapshot": f"a;{n}"}}).encode(),
        lambda n: json.dumps({**take, "params": {"snapshot": f"a{n}\n"}}).encode(),
        lambda n: json.dumps({**take, "params": {"snapshot": "", "n": n}}).encode(),
        lambda n: json.dumps({**stop, "params": {"force": n}}).encode(),
        lambda n: json.dumps({**stop, "params": [n]}).encode(),
        lambda n: json.dumps({**stop, "id": "", "reply_to": f"chunter.command.{n}"}).encode(),
        lambda n: b'{"action":"host.ping","id":"\\ud800' + str(n).encode() + b'"}',
        lambda n: b'{"\\udfff' + str(n).encode() + b'":1,"action":"host.ping"}',
        lambda n: b'{"action":"host.ping","expires":' + b"9" * (5000 + n) + b"}",
        lambda n: b'{"action":"host.ping","expires":NaN,"n":' + str(n).encode() + b"}",
        lambda n: b"[" * (2000 + n),
        lambda n: b'{"action":"host.ping","params":' + b"[" * (70 + n) + b"]" * (70 + n) + b"}",
        lambda n: b'{"a":' * (300 + n) + b"1" + b"}" * (300 + n),
        lambda n: json.dumps({"action": "host.ping", "padding": "x" * (1_000_000 + n if n < 60 else n)}).encode(),
        lambda n: (b"x" if n % 2 else b"\xff") * (2**20 - n if n < 60 else n),
        lambda n: b'{"action":"host.ping","action":"host.info","n":' + str(n).encode() + b"}",
    ]
    return [kinds[number % len(kinds)](number) for number in range(count)]


@pytest.mark.alone
async def test_a_thousand_malformed_messages_leave_the_door_open(
    ears: Ears, new_host: Callable[..., Host], nsqd: Nsqd
) -> None:
    """Each gets exactly one rejection or dead letter, and the next good command is answered within a second."""
    host = await new_host().start().ready()
    bodies = _malformed(1000)
    random.Random(7).shuffle(bodies)  # noqa: S311 - an order, not a secret
    assert 1000 == len({hashlib.sha256(body).digest() for body in bodies})
    for body in bodies:
        await asyncio.to_thread(nsqd.pub, host.topic, body)

    def told() -> list[str]:
        """What the answers are to: a dead letter to its bytes, a rejection to a command; no two have one in common."""
        dead = [event["data"]["data"]["sha256"] for event in ears.of("chunter.deadletter")]
        return dead + [e["data"]["command"] for e in ears.heard if e["data"].get("status") == "rejected"]

    await ears.when(lambda: len(told()) >= 1000, 60)
    began = time.monotonic()
    assert "succeeded" == (await ears.result(host.send("host.ping")))["status"]
    assert time.monotonic() - began < 1.0
    assert (1000, 1000) == (len(told()), len(set(told())))
    assert [] == [argv for argv in host.invocations("vmadm") if "events" not in argv and "lookup" not in argv]
    assert 0 == await host.stop()


async def test_a_range_of_events_is_published_again(ears: Ears, host: Host) -> None:
    """host.replay sends the very same events with the ids they had."""
    pings = [host.send("host.ping"), host.send("host.ping")]
    await ears.when(lambda: all("succeeded" in ears.statuses(one) for one in pings))
    before = [event for event in ears.heard if event["data"].get("command") in pings]
    first, last = (int(event["sequence"]) for event in before)
    done = await ears.result(host.send("host.replay", params={"topic": "chunter.result", "from": first, "to": last}))

    assert {"topic": "chunter.result", "count": 2} == done["result"]
    await ears.when(lambda: 2 == sum(event["id"] == before[0]["id"] for event in ears.heard))
    assert [before[1]] == [event for event in ears.heard if event["id"] == before[1]["id"]][1:]


@pytest.mark.parametrize(("topic", "hint"), [("zone", "; did you mean chunter.zone?"), ("stray", "")])
async def test_events_of_a_topic_that_is_none_are_not_found(ears: Ears, host: Host, topic: str, hint: str) -> None:
    """A mistyped topic is not taken for one of which nothing is kept."""
    done = await ears.result(host.send("host.replay", params={"topic": topic, "from": 1}))
    assert ("not_found", f"This host publishes nothing on {topic}{hint}") == (
        done["error"]["code"],
        done["error"]["message"],
    )


async def test_a_topic_that_is_silent_so_far_has_nothing_to_publish_again(ears: Ears, host: Host) -> None:
    """Nothing is a success there."""
    done = await ears.result(host.send("host.replay", params={"topic": "chunter.backup", "from": 1}))
    assert {"topic": "chunter.backup", "count": 0} == done["result"]


async def test_a_dry_run_touches_nothing(ears: Ears, host: Host) -> None:
    """`dry_run` shows the argument vector and what was found; no tool that changes something is run."""
    uuid = host.machine()
    done = await ears.result(host.send("machine.delete", uuid, params={"dry_run": True}))

    assert [["usr/sbin/vmadm", "delete", uuid]] == done["result"]["argv"]
    assert {"exists": True, "state": "running", "brand": "joyent"} == done["result"]["found"]
    assert [] == [argv for argv in host.invocations("vmadm") if "delete" in argv and uuid in argv]


async def test_sequences_have_no_gap(ears: Ears, host: Host) -> None:
    """Within a topic and an epoch the sequence of events goes up by one."""
    pings = [host.send("host.ping") for _ in range(20)]
    await ears.when(lambda: all("succeeded" in ears.statuses(one) for one in pings))

    results = [event for event in ears.of("chunter.result") if event["data"]["command"] in pings]
    first = int(results[0]["sequence"])
    assert list(range(first, first + 20)) == [int(event["sequence"]) for event in results]
    assert 1 == len({event["epoch"] for event in results})
