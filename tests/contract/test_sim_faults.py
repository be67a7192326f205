"""Faults, latencies and the record of invocations of a simulated host."""

from __future__ import annotations

import json
import signal
import time

import pytest
from click.testing import CliRunner
from simhost import BASE, WEB, Host

from chunter_nsq.cli.simulator import simulator


def set_fault(host: Host, *words: str) -> None:
    """Type ``chunter simulator fault``."""
    done = CliRunner().invoke(simulator, ["fault", str(host.root), *words])
    assert 0 == done.exit_code, done.output


def test_a_fault_fails_without_effect_a_number_of_times(host: Host):
    """--exit, --stderr and --times; afterwards the tool works."""
    set_fault(host, "vmadm", "create", "--exit", "1", "--stderr", "connect ECONNREFUSED", "--times", "2")
    payload = {"uuid": WEB, "brand": "joyent", "image_uuid": BASE}
    for _ in range(2):
        done = host.run("vmadm", "create", stdin=payload)
        assert (1, "", "connect ECONNREFUSED\n") == (done.returncode, done.stdout, done.stderr)
        assert WEB not in host.index()
    assert 0 == host.run("vmadm", "create", stdin=payload).returncode


def test_a_delay_alone_lets_the_tool_go_on(busy: Host):
    """It is slower, and right."""
    set_fault(busy, "zoneadm", "list", "--delay", "0.3")
    started = time.monotonic()
    assert 4 == len(busy.out("zoneadm", "list", "-ip").splitlines())
    assert time.monotonic() - started >= 0.3


def test_a_fault_of_one_subcommand_spares_the_others(host: Host):
    """Only invocations with all its words are concerned."""
    set_fault(host, "zfs", "list zones/opt", "--exit", "1")
    assert 1 == host.run("zfs", "list", "zones/opt").returncode
    assert 0 == host.run("zfs", "list", "zones/var").returncode


def test_a_subcommand_is_no_operand_of_another(host: Host):
    """A fault of ``zfs snapshot`` is not spent by a list of snapshots; behind options any place is the subcommand's."""
    set_fault(host, "zfs", "snapshot", "--exit", "1", "--times", "1")
    set_fault(host, "svcadm", "restart", "--exit", "1")
    assert 0 == host.run("zfs", "list", "-t", "snapshot").returncode
    assert 1 == host.run("zfs", "snapshot", "zones/var@one").returncode
    assert 0 == host.run("zfs", "snapshot", "zones/var@one").returncode
    assert 1 == host.run("svcadm", "-v", "restart", "cron").returncode


def test_truncated_output(busy: Host):
    """Only so many bytes come out."""
    set_fault(busy, "vmadm", "lookup", "--truncate", "10")
    assert 10 == len(busy.out("vmadm", "lookup"))


def test_a_flood(host: Host):
    """As many bytes as asked for."""
    set_fault(host, "vmadm", "get", "--flood", "1000000")
    assert 1000000 == len(host.out("vmadm", "get", WEB))


def test_garbage_is_no_text(host: Host):
    """What comes out is not UTF-8."""
    set_fault(host, "sysinfo", "--garbage")
    with pytest.raises(UnicodeDecodeError):
        host.run("sysinfo")


def test_a_hanging_tool_dies_of_a_signal(host: Host):
    """It never ends by itself."""
    set_fault(host, "zfs", "--hang")
    process = host.start("zfs", "list")
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=10)
    assert -signal.SIGTERM == process.returncode


def test_denied(host: Host):
    """Vmadm refuses whoever is not root with status 2."""
    set_fault(host, "vmadm", "--denied")
    done = host.run("vmadm", "list")
    assert (2, True) == (done.returncode, done.stderr.startswith("FATAL: cannot run because: "))


def test_dying_after_a_step(host: Host):
    """A create that is killed half-way leaves the half-made zone."""
    set_fault(host, "vmadm", "create", "--kill-after-step", "configured")
    done = host.run("vmadm", "create", stdin={"uuid": WEB, "brand": "joyent", "image_uuid": BASE})
    assert -signal.SIGKILL == done.returncode
    assert f"-:{WEB}:configured:" in host.out("zoneadm", "list", "-cp")


def test_faults_are_listed_and_cleared(host: Host):
    """What was set can be seen and taken back."""
    set_fault(host, "zfs", "list", "--exit", "1")
    listed = CliRunner().invoke(simulator, ["faults", str(host.root)]).output
    assert {"tool": "zfs", "subcommand": "list", "exit": 1} == json.loads(listed)
    assert "1 removed\n" == CliRunner().invoke(simulator, ["faults", str(host.root), "--clear"]).output
    assert 0 == host.run("zfs", "list").returncode


def test_every_invocation_is_recorded(host: Host):
    """Time, argv, exit status and seconds of each."""
    host.run("vmadm", "list", "-H")
    host.run("zfs", "list", 'zones/"x"')
    first, second = host.invocations()
    assert {"time", "argv", "exit", "seconds"} == set(first)
    assert (["vmadm", "list", "-H"], 0) == (first["argv"], first["exit"])
    assert (["zfs", "list", 'zones/"x"'], 1) == (second["argv"], second["exit"])


def test_latencies_are_seconds_by_verb(host: Host):
    """A table in the root says how long a verb takes."""
    host.latency(vmadm_get=0.4)
    started = time.monotonic()
    host.run("vmadm", "get", WEB)
    assert time.monotonic() - started >= 0.4


def test_a_root_can_be_moved(host: Host):
    """Launchers find their root from their own path."""
    host.create()
    moved = Host(host.root.rename(host.root.with_name("elsewhere")))
    assert f"{WEB}\n" == moved.out("vmadm", "lookup")


def test_the_command_line_makes_a_host(tmp_path):
    """Chunter simulator create, and its refusal of a directory that is in use."""
    target = str(tmp_path / "made")
    done = CliRunner().invoke(simulator, ["create", target, "--zones", "2"])
    assert (0, True) == (done.exit_code, "with 2 VMs" in done.output)
    again = CliRunner().invoke(simulator, ["create", target])
    assert (1, True) == (again.exit_code, "is not empty" in again.output)


@pytest.mark.alone
def test_big_hosts_are_quick(tmp_path):
    """A thousand zones: made in seconds, listed in milliseconds."""
    from chunter_nsq.smartos.simulator import create  # noqa: PLC0415 - only here

    started = time.monotonic()
    host = Host(create(tmp_path / "big", zones=1000))
    assert time.monotonic() - started < 10
    host.run("zoneadm", "list", "-ip")
    started = time.monotonic()
    assert 1001 == len(host.out("zoneadm", "list", "-ip").splitlines())
    listed = time.monotonic() - started
    host.run("vmadm", "lookup", "-j")
    started = time.monotonic()
    assert 1000 == len(json.loads(host.out("vmadm", "lookup", "-j")))
    assert (True, True) == (listed < 0.5, time.monotonic() - started < 2)
