from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publisher_parts import HOST, desk_in

from chunter_nsq.errors import ToolFailed
from chunter_nsq.messages.events import SIZE_LIMIT_BYTES, compact
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.svcs import Listing, list_argv, split_zones
from publishers.servicediff import changes, parts, payload
from publishers.services import Services
from publishers.serviceview import ServiceView

ZONE = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
SVCS = "usr/bin/svcs"
NOW = 1_775_217_600.0  # 2026-04-03 12:00:00


def line(zone: str, state: str, fmri: str, stime: str = "10:01:22", nstate: str = "-") -> str:
    """As the tool prints it."""
    return f"{zone:<16} {state:<14} {nstate:<14} {stime:<9} {fmri}\n"


def block(*services: tuple[str, str, str]) -> bytes:
    """The lines of a zone, from FMRI, state and time."""
    return "".join(line(ZONE, state, fmri, stime) for fmri, state, stime in services).encode()


SSH = "svc:/network/ssh:default"
CRON = "svc:/system/cron:default"


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    [
        ({}, [(SSH, "online", "10:01:22")], [(SSH, "online", "10:01:22")]),
        (
            {SSH: {"old": "online", "new": "maintenance", "since": "2026-04-03T11:00:00Z"}},
            [(SSH, "online", "10:01:22"), (CRON, "online", "Apr_01")],
            [(SSH, "maintenance", "11:00:00"), (CRON, "online", "Apr_01")],
        ),
        (
            {SSH: {"old": "none", "new": "online", "since": "2026-04-03T11:00:00Z"}},
            [],
            [(SSH, "online", "11:00:00")],
        ),
        ({SSH: {"old": "online", "new": "removed", "since": None}}, [(SSH, "online", "11:00:00")], []),
        (
            {SSH: {"old": "online", "new": "online", "since": "2026-04-03T11:00:00Z"}},
            [(SSH, "online", "10:01:22")],
            [(SSH, "online", "11:00:00")],
        ),
        ({}, [(SSH, "online", "12:00:05")], [(SSH, "online", "Apr_02")]),
        (
            {SSH: {"old": "online", "new": "disabled", "since": None}},
            [(SSH, "online", "10:01:22")],
            [(SSH, "disabled", "-")],
        ),
    ],
)
def test_what_changed_in_a_zone(expected: object, old: list, new: list) -> None:
    """State changes, new and gone services and restarts are told; age and silence are not."""
    assert expected == changes(block(*old), NOW - 10, block(*new), NOW)


def test_a_transition_is_told_by_what_it_leads_to() -> None:
    """The state under way stands beside a change, and is none by itself."""
    before = line(ZONE, "online", SSH).encode()
    under_way = line(ZONE, "offline", SSH, nstate="online").encode()
    there = line(ZONE, "offline", SSH).encode()
    assert {"old": "online", "new": "offline", "since": "2026-04-03T10:01:22Z", "next": "online"} == changes(
        before, NOW, under_way, NOW
    )[SSH]
    assert {} == changes(under_way, NOW, there, NOW)


def test_restarts_are_left_out_of_the_states() -> None:
    """What only started again is in changes, not in data; what needs a hand is named."""
    changed = {
        "svc:/a:a": {"old": "online", "new": "online", "since": "2026"},
        "svc:/b:b": {"old": "online", "new": "maintenance", "since": "2026"},
        "svc:/c:c": {"old": "none", "new": "degraded", "since": "2026"},
    }
    assert {
        "event": "services",
        "data": {"svc:/b:b": "maintenance", "svc:/c:c": "degraded"},
        "changes": changed,
        "attention": ["svc:/b:b", "svc:/c:c"],
    } == payload(changed)
    assert "attention" not in payload({})


def test_a_huge_zone_is_told_in_parts() -> None:
    """No event comes near the limit, and nothing is lost or told twice."""
    many = [(f"svc:/application/{'long' * 20}/{number}:default", "online", "10:01:22") for number in range(9000)]
    changed = changes(b"", NOW, block(*many), NOW)
    pieces = parts(changed)
    assert changed == {fmri: entry for piece in pieces for fmri, entry in piece.items()}
    assert sum(map(len, pieces)) == len(changed)
    assert all(len(compact(payload(piece))) < SIZE_LIMIT_BYTES / 2 for piece in pieces)


STATES = st.dictionaries(
    st.sampled_from([f"svc:/s/{number}:default" for number in range(8)]),
    st.tuples(st.sampled_from(["online", "offline", "maintenance"]), st.sampled_from(["10:00:00", "11:00:00"])),
)


@given(STATES, STATES)
def test_old_and_changes_make_new(old: dict, new: dict) -> None:
    """Applying the data of a change to the states before gives the states after."""
    made = changes(
        block(*((fmri, *rest) for fmri, rest in old.items())),
        NOW,
        block(*((fmri, *rest) for fmri, rest in new.items())),
        NOW,
    )
    states = {fmri: state for fmri, (state, _) in old.items()} | payload(made)["data"]
    assert {fmri: state for fmri, (state, _) in new.items()} == {
        fmri: state for fmri, state in states.items() if state != "removed"
    }
    assert {fmri for fmri in old.keys() | new.keys() if old.get(fmri) != new.get(fmri)} == made.keys()


async def test_a_fresh_journal_tells_everything_once(tmp_path: Path) -> None:
    """The first pass is a snapshot of each zone, the second says nothing."""
    async with desk_in(tmp_path) as desk:
        desk.prints(SVCS, line(ZONE, "online", SSH) + line("global", "online", CRON))
        services = Services(desk.tools)
        first = await desk.listen(services)
        assert [(ZONE, {SSH: "online"}), (HOST, {CRON: "online"})] == [(e.subject, e.data["data"]) for e in first]
        assert all(event.data["snapshot"] == {"part": 1, "of": 1} for event in first)
        assert "none" == first[0].data["changes"][SSH]["old"]
        assert ("service", "chunter.service.changed") == (first[0].topic, first[0].type)
        assert [] == await desk.listen(services)
        assert [" ".join(list_argv()[1:])] * 2 == desk.typed(SVCS)


async def test_a_restarted_agent_goes_on_where_it_was(tmp_path: Path) -> None:
    """Only what changed while it was away is told."""
    async with desk_in(tmp_path) as desk:
        desk.prints(SVCS, line(ZONE, "online", SSH) + line("global", "online", CRON))
        await desk.listen(Services(desk.tools))
    async with desk_in(tmp_path) as desk:
        desk.prints(SVCS, line(ZONE, "maintenance", SSH) + line("global", "online", CRON))
        (event,) = await desk.listen(Services(desk.tools))
    assert ({SSH: "maintenance"}, [SSH]) == (event.data["data"], event.data["attention"])
    assert "online" == event.data["changes"][SSH]["old"]
    assert "snapshot" not in event.data


async def test_a_zone_that_is_listed_no_more_is_told_in_one_word(tmp_path: Path) -> None:
    """Its services were not removed, so none is named; when it is back it is told whole."""
    async with desk_in(tmp_path) as desk:
        services = Services(desk.tools)
        both = line(ZONE, "online", SSH) + line("global", "online", CRON)
        desk.prints(SVCS, both)
        await desk.listen(services)
        desk.prints(SVCS, line("global", "online", CRON))
        (gone,) = await desk.listen(services)
        assert {"event": "services", "data": {}, "changes": {}, "listed": False} == gone.data
        assert ZONE == gone.subject
        assert [] == await desk.listen(services)
        desk.prints(SVCS, both)
        (back,) = await desk.listen(services)
        assert ({"part": 1, "of": 1}, {SSH: "online"}) == (back.data["snapshot"], back.data["data"])


async def test_a_zone_made_by_hand_speaks_under_its_uuid(tmp_path: Path) -> None:
    """Its name is no uuid, so the list of zones says whose it is."""
    async with desk_in(tmp_path) as desk:
        desk.prints(
            "usr/sbin/zoneadm", f"0:global:running:/:::shared:0\n4:web1:running:/zones/web1:{ZONE}:joyent:e:9\n"
        )
        desk.prints(SVCS, line("web1", "online", SSH))
        (event,) = await desk.listen(Services(desk.tools))
        assert ZONE == event.subject


async def test_an_odd_line_is_told_after_everything_else(tmp_path: Path) -> None:
    """One zone's garbage hides nothing of the others, and is not kept quiet."""
    async with desk_in(tmp_path) as desk:
        services = Services(desk.tools)
        desk.prints(SVCS, "Segmentation fault\n" + line("global", "online", CRON))
        desk.zones()
        ticking = services.tick()
        heard = list(await anext(ticking))
        with pytest.raises(ToolFailed, match="Segmentation") as fault:
            await anext(ticking)
        assert list(list_argv()) == fault.value.details["argv"]
        assert [{CRON: "online"}] == [event.data["data"] for event in heard]
        desk.prints(SVCS, line("global", "online", CRON))
        assert [] == await desk.listen(services)


async def test_a_tool_that_fails_is_a_fault(tmp_path: Path) -> None:
    """And nothing that was known is forgotten by it."""
    async with desk_in(tmp_path) as desk:
        services = Services(desk.tools)
        desk.prints(SVCS, line("global", "online", CRON))
        await desk.listen(services)
        desk.prints(SVCS, "", status=1)
        with pytest.raises(ToolFailed):
            await desk.listen(services)
        desk.prints(SVCS, line("global", "online", CRON))
        assert [] == await desk.listen(services)


async def test_what_could_not_be_written_is_told_again(tmp_path: Path) -> None:
    """A batch that the outbox refused is found again by the next tick."""
    async with desk_in(tmp_path) as desk:
        services = Services(desk.tools)
        desk.prints(SVCS, line("global", "online", CRON))
        ticking = services.tick()
        assert 1 == len(await anext(ticking))
        await ticking.aclose()  # as the ticker does when writing failed
        assert 1 == len(await desk.listen(services))


def test_sixty_thousand_unchanged_services_cost_little() -> None:
    """A tick in which nothing changed takes a small part of a tenth of a second."""
    zones = [f"{number:08x}-798a-4bc9-bdc5-61b4be00a22e" for number in range(1000)]
    fmris = [f"svc:/network/service/number{number}:default" for number in range(60)]
    stdout = "".join(line(zone, "online", fmri) for zone in zones for fmri in fmris).encode()
    completed = Completed(list_argv(), 0, b"", "", 0.0)
    view = ServiceView({}, str)
    for _ in view.listed(Listing(split_zones(stdout, view.blocks), NOW, completed)):
        pass
    again = bytes(bytearray(stdout))
    began = time.process_time()
    told = list(view.listed(Listing(split_zones(again, view.blocks), NOW + 10, completed)))
    assert time.process_time() - began < 0.1
    assert [] == told
