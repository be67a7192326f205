"""svcadm's argument vectors, what svcs prints of one service, and when a request is fulfilled."""

from __future__ import annotations

from pathlib import Path

import pytest
from tool_scripts import shell_tool

from chunter_nsq.errors import InvalidMessage, InvalidState, NotFound, ToolFailed
from chunter_nsq.smartos import svcadm
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.svcadm import ServiceState, Svcadm, reached

ZONE = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
SSH = "svc:/network/ssh:default"


def state(name: str = "online", going: str | None = None, stime: str = "10:01:22") -> ServiceState:
    """The service as it is."""
    return ServiceState(SSH, name, going, stime)


def test_argument_vectors() -> None:
    """What is typed for a zone and for the host."""
    assert ("usr/sbin/svcadm", "-z", ZONE, "enable", SSH) == svcadm.request_argv("enable", SSH, ZONE)
    assert ("usr/sbin/svcadm", "clear", "ssh") == svcadm.request_argv("clear", "ssh")
    looked = ("usr/bin/svcs", "-H", "-z", ZONE, "-o", "state,nstate,stime,fmri", SSH)
    assert looked == svcadm.look_argv(SSH, ZONE)


@pytest.mark.parametrize("service", ["", "-s", "a b", "*", "svc:/x:default\n", "$(reboot)"])
def test_a_service_is_named_plainly(service: str) -> None:
    """Nothing but a service's name reaches the command line."""
    with pytest.raises(InvalidMessage):
        svcadm.request_argv("enable", service)


def test_a_state_is_read() -> None:
    """A star and a dash mean what they mean."""
    assert [state("offline", "online")] == svcadm.parse_states(f"offline*  online  10:01:22  {SSH}\n")
    assert [state()] == svcadm.parse_states(f"online         -              10:01:22  {SSH}\n")
    with pytest.raises(ValueError, match="unpack"):
        svcadm.parse_states("online\n")


@pytest.mark.parametrize(
    ("said", "status", "kind"),
    [
        ("svcadm: Pattern 'x' doesn't match any instances", 1, NotFound),
        ("svcadm: operation on service svc:/x is ambiguous; instance specification needed.", 1, InvalidMessage),
        ('svcadm: Instance "svc:/x:default" is not in a maintenance or degraded state.', 1, InvalidState),
        ("svcadm: Could not bind to repository server for zone z: repository server unavailable", 1, InvalidState),
        ("svcadm: something else", 1, ToolFailed),
        ("Usage: svcadm doesn't match any instances", 2, ToolFailed),
    ],
)
async def test_what_svcadm_says_gets_a_type(tmp_path: Path, said: str, status: int, kind: type[Exception]) -> None:
    """Each refusal is an error of its own and keeps the tool's words."""
    shell_tool(tmp_path, "svcadm", f'echo "{said}" >&2; exit {status}')
    runner = Runner(tmp_path)
    with pytest.raises(kind) as caught:
        await Svcadm(runner).request("clear", "x")
    assert type(caught.value) is kind
    assert said[:17] in caught.value.message
    await runner.close()


@pytest.mark.parametrize(
    ("verb", "before", "now", "seconds", "is_reached"),
    [
        ("enable", state("disabled"), state(), 0.1, True),
        ("enable", state(), state(), 0.1, True),
        ("enable", state("disabled"), state("offline", "online"), 9.0, False),
        ("enable", state("disabled"), state("offline"), 9.0, False),
        ("enable", state("maintenance"), state("maintenance"), 0.1, False),
        ("disable", state(), state("online", "disabled"), 9.0, False),
        ("disable", state(), state("disabled"), 0.1, True),
        ("refresh", state("offline"), state("offline"), 0.1, True),
        ("restart", state(), state(), 0.1, False),
        ("restart", state(), state(), 9.0, True),
        ("restart", state(), state(stime="10:02:00"), 0.1, True),
        ("clear", state("maintenance"), state("maintenance"), 0.1, False),
        ("clear", state("maintenance"), state(), 0.1, True),
        ("clear", state("maintenance"), state("disabled"), 0.1, True),
        ("clear", state("degraded"), state(), 0.1, True),
    ],
)
def test_when_a_request_is_fulfilled(
    verb: str, before: ServiceState, now: ServiceState, seconds: float, *, is_reached: bool
) -> None:
    """A state on its way counts for nothing, the same state only after a while."""
    assert is_reached is reached(verb, before, now, seconds)


@pytest.mark.parametrize("verb", ["enable", "restart", "clear"])
def test_maintenance_is_the_end(verb: str) -> None:
    """A service that fails to start is not waited for."""
    with pytest.raises(svcadm.InMaintenance, match="maintenance"):
        reached(verb, state("maintenance"), state("maintenance", stime="10:09:00"), 0.1)
    with pytest.raises(svcadm.InMaintenance, match="maintenance"):
        reached(verb, state("maintenance"), state("maintenance"), 9.0)
