"""The verbs of operators, as they are typed on a host."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from cli_parts import chunter
from worlds import BASE_IMAGE, Ears, Host

from chunter_nsq.smartos.simulator import faults

pytestmark = pytest.mark.counted

SERVICE = "svc:/network/chunter:default"
KEYS = {"ops": {"secret": "a secret that is long enough", "allow": ["image.*"]}}


async def test_the_running_agent_answers_verbs(ears: Ears, new_host: Callable[..., Host], nsqd, tmp_path) -> None:
    """Ping, connections, memory, and an import that is signed with the key of the configuration."""
    keys = tmp_path / "command.keys"
    keys.write_text(json.dumps(KEYS))
    host = await new_host(settings={"command_keys": str(keys), "nsqd_http": nsqd.http_address}).start().ready()
    tree = ("--root", str(host.root))

    assert (0, "pong\n") == _good(await chunter("ping", *tree))
    status, listed = _good(await chunter("connections", *tree))
    assert (0, ["publish", "chunter.command", host.topic]) == (
        status,
        [line.split()[0] for line in listed.splitlines()],
    )
    assert {nsqd.tcp_address} == {line.split()[1] for line in listed.splitlines()}
    await ears.when(lambda: ears.of("chunter.memory.update") != [])
    assert ["free-memory", "provisioned-memory", "reserved-memory", "total-memory"] == sorted(
        line.split()[0] for line in (await chunter("update_memory", *tree)).out.splitlines()
    )
    done = await chunter("import", BASE_IMAGE, "--json", *tree)
    assert (0, "succeeded") == (done.status, done.document["status"]), done.err


async def test_without_an_agent_verbs_say_so(new_host: Callable[..., Host]) -> None:
    """Status 1, in words, for whatever needs one."""
    host = new_host()
    for verb in ("ping", "connections", "update_memory"):
        done = await chunter(verb, "--root", str(host.root))
        assert (1, "") == (done.status, done.out)
        assert "no agent answers" in done.err
    done = await chunter("import", BASE_IMAGE, "--root", str(host.root))
    assert (1, True) == (done.status, "start its agent first" in done.err)


async def test_an_agent_without_nsqd_has_no_connections(host: Host) -> None:
    """The empty lists are shown, and the status is 1."""
    host.nsqd.kill()
    while (await host.get("/readyz"))[0] == 200:
        pass
    done = await chunter("connections", "--root", str(host.root))
    assert (1, ["none"] * 3) == (done.status, [line.split()[1] for line in done.out.splitlines()])
    host.nsqd.start()
    await host.ready()


async def test_the_service_is_started_and_stopped_through_smf(new_host: Callable[..., Host]) -> None:
    """The verb returns when the service is as wanted, and says what SMF says."""
    host = new_host()
    tree = ("--root", str(host.root))
    absent = await chunter("start", *tree)
    assert (1, True) == (absent.status, "Is it installed as a service" in absent.err)

    await chunter("simulator", "service", str(host.platform), "global", SERVICE, "disabled")
    for verb, state in (("start", "online"), ("restart", "online"), ("stop", "disabled")):
        status, said = _good(await chunter(verb, *tree))
        assert (0, f"{SERVICE} is {state} since ") == (status, said[: len(SERVICE) + len(state) + 11]), said
    again = await chunter("restart", *tree)
    assert (1, True) == (again.status, "it is disabled: enable it" in again.err), again.err
    assert [["enable"], ["restart"], ["disable"]] == [argv[1:-1] for argv in host.invocations("svcadm")]

    await chunter("simulator", "service", str(host.platform), "global", SERVICE, "failing")
    failed = await chunter("start", *tree)
    assert (1, True) == (failed.status, "is in maintenance" in failed.err), failed.err


async def test_where_the_log_is_helps_only_in_maintenance(new_host: Callable[..., Host]) -> None:
    """A start or restart that leads there says so; one that SMF refuses for another reason keeps to that reason."""
    host = new_host()
    tree = ("--root", str(host.root))
    await chunter("simulator", "service", str(host.platform), "global", SERVICE, "failing")
    failed = [(await chunter(verb, *tree)).err for verb in ("start", "restart")]
    await chunter("simulator", "service", str(host.platform), "global", SERVICE, "online")
    unbound = "svcadm: Could not bind to repository server: repository server unavailable"
    faults.add(str(host.platform), {"tool": "svcadm", "exit": 1, "stderr": unbound})
    refused = [(await chunter(verb, *tree)).err for verb in ("start", "restart")]

    assert [True] * 2 == ["Where that log is: svcs -L chunter" in told for told in failed], failed
    assert [True] * 2 == [unbound in told for told in refused], refused
    assert [1] * 2 == [len(told.splitlines()) for told in refused], refused


def _good(ended) -> tuple[int, str]:
    assert "" == ended.err
    return ended.status, ended.out
