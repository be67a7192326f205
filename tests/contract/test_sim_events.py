"""vmadm events against a simulated host."""

from __future__ import annotations

import time

from simhost import WEB, Host, wait_for

from chunter_nsq.smartos.simulator import storm


def of(events: list[dict], kind: str) -> list[dict]:
    """The events of a type."""
    return [event for event in events if event["type"] == kind]


def states(events: list[dict]) -> list[str]:
    """Every zone state that was told, in order."""
    changes = [change for event in of(events, "modify") for change in event["changes"]]
    return [change["newValue"] for change in changes if change["prettyPath"] == "zone_state"]


def test_ready_holds_every_vm(busy: Host):
    """The first event has all VMs by zone name."""
    with busy.events() as events:
        assert "ready" == events[0]["type"]
        assert set(busy.out("vmadm", "lookup").split()) == set(events[0]["vms"])


def test_the_life_of_a_vm_is_told(host: Host):
    """create, the way up, the way down, delete."""
    with host.events() as events:
        host.create()
        host.run("vmadm", "delete", WEB)
        wait_for(lambda: of(events, "delete"))
    assert ["create"] == [event["type"] for event in of(events, "create")]
    assert {"type", "date", "zonename", "uuid", "vm"} == set(of(events, "create")[0])
    expected = [
        "incomplete",
        "installed",
        "ready",
        "running",
        "shutting_down",
        "down",
        "installed",
        "incomplete",
        "configured",
    ]
    assert expected == states(events)
    assert {"type", "date", "zonename", "uuid"} == set(of(events, "delete")[0])


def test_a_change_has_paths_and_values(host: Host):
    """Changed has both values, added and removed one of them."""
    host.create(autoboot=False)
    with host.events() as events:
        host.run("vmadm", "start", WEB)
        wait_for(lambda: "running" in states(events))
    changes = [change for event in of(events, "modify") for change in event["changes"]]
    wanted = {
        "prettyPath": "zone_state",
        "path": ["zone_state"],
        "action": "changed",
        "oldValue": "ready",
        "newValue": "running",
    }
    assert wanted in changes
    added = next(change for change in changes if change["prettyPath"] == "zoneid")
    assert ("added", False) == (added["action"], "oldValue" in added)


def test_array_elements_have_a_null_in_their_path(host: Host):
    """A change inside a nic names it by its MAC."""
    host.create(nics=[{"nic_tag": "admin", "ip": "10.9.9.9", "netmask": "255.255.255.0"}])
    mac = host.get()["nics"][0]["mac"]
    with host.events() as events:
        host.run(
            "vmadm", "update", WEB, stdin={"update_nics": [{"mac": mac, "ip": "10.9.9.8", "netmask": "255.255.255.0"}]}
        )
        wait_for(lambda: of(events, "modify"))
    change = next(one for one in of(events, "modify")[0]["changes"] if one["prettyPath"] == "nics.*.ip")
    assert (["nics", None, "ip"], "10.9.9.9", "10.9.9.8", mac) == tuple(
        change[key] for key in ("path", "oldValue", "newValue", "ident")
    )


def test_hand_edits_are_noticed(host: Host):
    """What no command told is found by looking at the files."""
    host.create(autoboot=False)
    with host.events() as events:
        path = host.root / f"etc/zones/{WEB}.xml"
        draft = path.with_suffix(".new")
        draft.write_text(path.read_text().replace('value="d2Vi"', 'value="ZGI="'))
        draft.replace(path)
        wait_for(lambda: of(events, "modify"))
    changes = of(events, "modify")[0]["changes"]
    expected = ("changed", "web", "db")
    found = next(one for one in changes if one["prettyPath"] == "alias")
    assert expected == (found["action"], found["oldValue"], found["newValue"])
    assert {"alias", "last_modified"} >= {one["prettyPath"] for one in changes}


def test_only_one_vm_when_asked(busy: Host):
    """With a UUID the others are not told."""
    first, second, _ = busy.out("vmadm", "lookup").split()
    with busy.events(first) as events:
        assert {first} == set(events[0]["vms"])
        busy.run("vmadm", "stop", second)
        busy.run("vmadm", "stop", first)
        wait_for(lambda: "installed" in states(events))
    assert {first} == {event["zonename"] for event in events[1:]}


def test_a_storm_is_told_completely_and_in_order(busy: Host):
    """Thousands of changes a second arrive, each after its predecessor."""
    with busy.events() as events:
        assert 3000 == storm(busy.root, 3000, seconds=0.6)
        told = wait_for(lambda: states(events) if len(states(events)) >= 3000 else None)
    assert 3000 == len(told)
    names = {event["zonename"] for event in events[1:]}
    circle = ["shutting_down", "down", "installed", "ready", "running"]
    for name in names:
        mine = states([event for event in events[1:] if event["zonename"] == name])
        assert (circle * (len(mine) // 5 + 1))[: len(mine)] == mine


def test_events_come_within_fifty_milliseconds(host: Host):
    """A change is told soon after it was made; on a busy machine the quickest of a few counts."""
    host.create()
    delays = []
    with host.events() as events:
        for number in range(1, 6):
            time.sleep(0.6)
            assert 1 == storm(host.root, 1, seconds=0.0, zones=[WEB])
            made = time.monotonic()
            wait_for(lambda number=number: len(states(events)) >= number)
            delays.append(time.monotonic() - made)
    assert min(delays) < 0.05


def test_the_text_form(host: Host):
    """Without -j a line for each change, with the zone's first part and alias."""
    host.create()
    process = host.start("vmadm", "events", "-r")
    assert process.stdout.readline().endswith("Z] ready\n")
    host.run("vmadm", "stop", WEB)
    lines = [process.stdout.readline() for _ in range(2)]
    process.terminate()
    process.communicate(timeout=10)
    assert any(" dc5cbce7 web modify: autoboot changed :: true -> false\n" in line for line in lines)


def test_the_stream_ends_when_nobody_listens(host: Host):
    """A reader that goes away takes the stream with it."""
    process = host.start("vmadm", "events", "-jr")
    assert process.stdout.readline()
    process.stdout.close()
    process.wait(5)
    process.stdin.close()
    process.stderr.close()
    assert 0 == process.returncode


def test_an_appended_index_line_is_told(host: Host):
    """A VM that was made known by hand is a create event."""
    host.create(autoboot=False)
    other = "0e56fe34-39a3-42d5-86c7-d719487f892b"
    with host.events() as events:
        text = (host.root / f"etc/zones/{WEB}.xml").read_text().replace(WEB, other)
        (host.root / f"etc/zones/{other}.xml").write_text(text)
        with (host.root / "etc/zones/index").open("a") as index:
            index.write(f"{other}:installed:/zones/{other}:{other}\n")
        wait_for(lambda: of(events, "create"), 5)
    assert [other] == [event["uuid"] for event in of(events, "create")]
