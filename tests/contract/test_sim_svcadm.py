"""svcadm against a simulated host."""

from __future__ import annotations

import time

import pytest
from click.testing import CliRunner
from simhost import WEB, Host, wait_for

from chunter_nsq.cli.simulator import simulator

SSH = "svc:/network/ssh:default"
AMBIGUOUS = """\
svcadm: operation on service svc:/system/console-login is ambiguous; instance specification needed.
\tsvc:/system/console-login:default
\tsvc:/system/console-login:vt2
"""
SEVERAL = """\
svcadm: Pattern 'network/smb/*' matches multiple instances:
\tsvc:/network/smb/client:default
\tsvc:/network/smb/server:default
"""
SLOW = {"smf_start": 2.0, "smf_stop": 2.0}


def states(host: Host, fmri: str = SSH, *words: str) -> list[str]:
    """The service's state and the one it is on its way to."""
    return host.out("svcs", "-H", "-o", "state,nstate", *words, fmri).split()


def fail(host: Host, *words: str) -> None:
    """Make a service of the global zone fail from now on."""
    assert 0 == CliRunner().invoke(simulator, ["service", str(host.root), "global", *words]).exit_code


def test_requests_are_silent(host: Host):
    """Unless somebody wants to hear of them."""
    assert "" == host.out("svcadm", "disable", "ssh")
    assert f"{SSH} enabled.\n" == host.out("svcadm", "-v", "enable", SSH)
    assert f"Action restart set for {SSH}.\n" == host.out("svcadm", "-v", "restart", "network/ssh")
    assert f"Action refresh set for {SSH}.\n" == host.out("svcadm", "-v", "refresh", "ssh:default")
    assert ["online", "-"] == states(host)


def test_a_request_returns_before_the_change(host: Host):
    """On its way the service says where it goes; seen without that column, it is marked."""
    host.latency(**SLOW)
    host.out("svcadm", "disable", "ssh")
    assert ["online", "disabled"] == states(host)
    assert "online*" == host.out("svcs", "-H", "-o", "state", "ssh").strip()
    wait_for(lambda: states(host) == ["disabled", "-"])
    host.out("svcadm", "enable", "ssh")
    assert ["offline", "online"] == states(host)
    wait_for(lambda: states(host) == ["online", "-"])


def test_a_restart_goes_through_offline(host: Host):
    """Online to offline to online, with a new time in the end."""
    host.latency(**SLOW)
    host.out("svcadm", "restart", "ssh")
    assert ["online", "offline"] == states(host)
    wait_for(lambda: states(host) == ["offline", "online"])
    wait_for(lambda: states(host) == ["online", "-"])
    assert ":" in host.out("svcs", "-H", "-o", "stime", "ssh")


def test_a_synchronous_request_waits(host: Host):
    """-s returns when the service is where it should be."""
    host.latency(**SLOW)
    started = time.monotonic()
    host.out("svcadm", "disable", "-s", "ssh")
    assert ["disabled", "-"] == states(host)
    host.out("svcadm", "enable", "-s", "ssh")
    assert ["online", "-"] == states(host)
    assert 1.2 < time.monotonic() - started


def test_a_service_that_fails_ends_in_maintenance(host: Host):
    """Whoever waits for it hears of it, with exit 3; cleared when it works again, it runs."""
    fail(host, "ssh", "failing")
    host.out("svcadm", "restart", "ssh")
    assert ["maintenance", "-"] == states(host)
    host.out("svcadm", "disable", "ssh")
    done = host.run("svcadm", "enable", "-s", "ssh")
    assert (3, f'svcadm: Instance "{SSH}" is in maintenance state.\n') == (done.returncode, done.stderr)
    fail(host, "ssh", "working")
    host.out("svcadm", "clear", "ssh")
    assert ["online", "-"] == states(host)


def test_a_service_waits_for_what_it_requires(host: Host):
    """Offline, with exit 4 for whoever waits, until that runs too; -r sees to it at once."""
    client = "svc:/network/nfs/client:default"
    done = host.run("svcadm", "enable", "-s", "nfs/client")
    assert (4, f'svcadm: Instance "{client}" has unsatisfied dependencies.\n') == (done.returncode, done.stderr)
    assert ["offline", "-"] == states(host, "nfs/client")
    for name in ("rpc/bind", "nfs/status", "nfs/nlockmgr"):
        host.out("svcadm", "enable", name)
    assert ["online", "-"] == states(host, "nfs/client")
    host.out("svcadm", "enable", "-rs", "nfs/server")
    assert ["online", "-"] == states(host, "nfs/server")


def test_marks(host: Host):
    """Maintenance and degraded by an administrator, until cleared."""
    host.out("svcadm", "mark", "-I", "maintenance", "ssh")
    assert ["maintenance", "-"] == states(host)
    done = host.run("svcadm", "mark", "degraded", "ssh")
    assert (1, f'svcadm: Instance "{SSH}" is not online.\n') == (done.returncode, done.stderr)
    host.out("svcadm", "clear", "ssh")
    host.out("svcadm", "mark", "degraded", "ssh")
    assert ["degraded", "-"] == states(host)
    host.out("svcadm", "clear", "ssh")
    assert ["online", "-"] == states(host)


def test_zones_apart_and_together(host: Host):
    """-z means one zone, -Z all that have services."""
    host.create()
    host.out("svcadm", "-z", WEB, "disable", "ssh")
    assert [["disabled", "-"], ["online", "-"]] == [states(host, "ssh", "-z", WEB), states(host)]
    host.out("svcadm", "-Z", "disable", "cron")
    assert ["disabled", "-", "disabled", "-"] == states(host, "cron", "-Z")


def test_what_is_temporary_ends_with_the_boot(host: Host):
    """-t is forgotten when the zone boots; what was asked for without it stays."""
    host.create()
    host.out("svcadm", "-z", WEB, "disable", "-t", "ssh")
    host.out("svcadm", "-z", WEB, "disable", "cron")
    assert ["disabled", "-"] == states(host, "ssh", "-z", WEB)
    host.run("vmadm", "reboot", WEB)
    wait_for(lambda: host.get()["state"] == "running")
    assert ["online", "-"] == states(host, "ssh", "-z", WEB)
    assert ["disabled", "-"] == states(host, "cron", "-z", WEB)


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("enable", "moon"), 1, "svcadm: Pattern 'moon' doesn't match any instances\n"),
        (("clear", "ssh"), 1, f'svcadm: Instance "{SSH}" is not in a maintenance or degraded state.\n'),
        (("restart", "console-login"), 1, AMBIGUOUS),
        (("restart", "smb*"), 1, "svcadm: Pattern 'smb*' doesn't match any instances\n"),
        (("restart", "network/smb/*"), 1, SEVERAL),
        (("-z", "moon", "enable", "ssh"), 1, "svcadm: invalid zone 'moon'\n"),
    ],
)  # fmt: skip
def test_what_is_refused(host: Host, words: tuple[str, ...], status: int, text: str):
    """In the platform's own words."""
    done = host.run("svcadm", *words)
    assert (status, text) == (done.returncode, done.stderr)


def test_a_stopped_zone_cannot_be_asked(host: Host):
    """There is nobody to bind to."""
    host.create()
    host.run("vmadm", "stop", WEB)
    done = host.run("svcadm", "-z", WEB, "enable", "ssh")
    text = f"svcadm: Could not bind to repository server for zone {WEB}: repository server unavailable\n"
    assert (1, text) == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    "words", [(), ("dance", "ssh"), ("enable",), ("enable", "-y", "ssh"), ("mark", "online", "ssh")]
)
def test_usage(host: Host, words: tuple[str, ...]):
    """Exit 2 and the usage for what makes no sense."""
    done = host.run("svcadm", *words)
    assert (2, True) == (done.returncode, done.stderr.startswith("Usage: svcadm "))
