"""Imported services of the simulated host: their methods really run, and what SMF says follows from what they do."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from chunter_nsq.smartos import simulator
from chunter_nsq.smartos.simulator import power

FMRI = "svc:/site/thing:default"
MANIFEST = """\
<?xml version="1.0"?>
<!DOCTYPE service_bundle SYSTEM "/usr/share/lib/xml/dtd/service_bundle.dtd.1">
<service_bundle type="manifest" name="thing">
  <service name="site/thing" type="service" version="1">
    <create_default_instance enabled="{enabled}"/>
    <single_instance/>
    <method_context working_directory="{folder}">
      <method_environment><envvar name="FLAVOUR" value="plain"/></method_environment>
    </method_context>
    <exec_method type="method" name="start" exec="{folder}/thing %m" timeout_seconds="0"/>
    <exec_method type="method" name="stop" exec="{stop}" timeout_seconds="5"/>
    <exec_method type="method" name="refresh" exec="{folder}/thing refresh" timeout_seconds="5"/>
    <property_group name="startd" type="framework">
      <propval name="duration" type="astring" value="{duration}"/>
      {critical}
    </property_group>
  </service>
</service_bundle>
"""
# A method that notes how it was called, starts a child of its own session, and waits.
WAITING = 'echo "$1 $SMF_FMRI $FLAVOUR" >> notes\n[ "$1" = start ] || exit 0\nsetsid sleep 300 &\nexec sleep 300'


class Thing:
    """A service on a simulated host."""

    def __init__(self, folder: Path) -> None:
        self.root = simulator.create(folder / "hv")
        self.folder = folder
        self.method = folder / "thing"

    def make(
        self,
        script: str,
        *,
        duration: str = "child",
        stop: str = ":kill",
        enabled: str = "true",
        critical: str = "",
        place=None,
    ):
        """Write the method and the manifest, and import it; what svccfg said."""
        self.method.write_text(f"#!/sbin/sh\n{script}\n")
        self.method.chmod(0o755)
        file = place or self.folder / "thing.xml"
        told = {"duration": duration, "stop": stop, "enabled": enabled, "critical": critical}
        file.write_text(MANIFEST.format(folder=self.folder, **told))
        return self.tool("usr/sbin/svccfg", "import", str(file))

    def tool(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a tool."""
        return subprocess.run([self.root / argv[0], *argv[1:]], capture_output=True, text=True, check=False, timeout=60)

    def svcadm(self, *argv: str) -> int:
        """Its exit status."""
        return self.tool("usr/sbin/svcadm", *argv).returncode

    @property
    def state(self) -> str:
        """As svcs has it."""
        return self.tool("usr/bin/svcs", "-H", "-o", "state", "thing").stdout.strip()

    def prop(self, name: str) -> str:
        """One property."""
        return self.tool("usr/bin/svcprop", "-p", name, FMRI).stdout.strip()

    @property
    def pid(self) -> int:
        """The start method's process."""
        return int(self.prop("restarter/start_pid"))

    def members(self) -> list[int]:
        """The processes of its contract."""
        return [int(one) for one in self.tool("usr/bin/pgrep", "-c", self.prop("restarter/contract")).stdout.split()]

    def until(self, is_so, seconds: float = 15.0) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"{self.state}\n{self.log()}\n{self.notes()}"
            time.sleep(0.02)

    def notes(self) -> list[str]:
        """What the method noted."""
        file = self.folder / "notes"
        return file.read_text().splitlines() if file.exists() else []

    def log(self) -> str:
        """The service's log."""
        return (self.root / "var/svc/log/site-thing:default.log").read_text()


@pytest.fixture
def thing(tmp_path):
    """A host without services of its own yet; none of its processes outlives the test."""
    one = Thing(tmp_path)
    yield one
    power.shutdown(one.root, cut=True)
    shown = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [] == [line for line in shown if str(tmp_path) in line and not line.startswith("Z")]


def lives(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_an_imported_service_runs(thing):
    """It is online, its process and contract are told, and its method got SMF's environment."""
    done = thing.make(WAITING)
    thing.until(lambda: thing.state == "online" and len(thing.members()) == 2)

    assert (0, "") == (done.returncode, done.stderr)
    assert thing.pid in thing.members()
    assert [f"start {FMRI} plain"] == thing.notes()
    assert f'Executing start method ("{thing.method} %m")' in thing.log()


def test_what_died_is_started_again(thing):
    """After SIGKILL of the method it is online with another process; what it had started goes on."""
    thing.make(WAITING)
    thing.until(lambda: thing.state == "online" and len(thing.members()) == 2)
    first, (child,) = thing.pid, [one for one in thing.members() if one != thing.pid]
    os.kill(first, signal.SIGKILL)
    thing.until(lambda: thing.state == "online" and thing.prop("restarter/start_pid") not in ("", '""', str(first)))

    assert lives(child)
    assert child not in thing.members()
    os.kill(child, signal.SIGKILL)


def test_a_wrong_configuration_is_maintenance_at_once(thing):
    """Exit 96; svcs -x says so, and clear starts it again."""
    thing.make("exit 96")
    thing.until(lambda: thing.state == "maintenance")
    told = thing.tool("usr/bin/svcs", "-x").stdout
    thing.method.write_text(f"#!/sbin/sh\n{WAITING}\n")

    assert "Reason: Start method exited with $SMF_EXIT_ERR_CONFIG (96)." in told
    assert 0 == thing.svcadm("clear", "thing")
    thing.until(lambda: thing.state == "online")


@pytest.mark.parametrize("status", [0, 1, 95])
def test_any_other_exit_of_a_child_is_followed_by_a_start(thing, status):
    """A failure is followed by a second's rest, a good end is not."""
    thing.make(f"date +%s%N >> notes; [ $(wc -l < notes) -ge 5 ] && exec sleep 300; exit {status}")
    thing.until(lambda: len(thing.notes()) == 5 and thing.state == "online")
    moments = [int(note) / 1e9 for note in thing.notes()]
    quickest = min(later - earlier for earlier, later in itertools.pairwise(moments))

    assert moments[-1] - moments[0] > 3 if status else quickest < 1


def test_what_dies_too_fast_is_put_into_maintenance(thing):
    """Ten starts within ten seconds are enough."""
    thing.make('echo "$1" >> notes')
    thing.until(lambda: thing.state == "maintenance")

    assert 9 == len(thing.notes())
    assert "Restarting too quickly" in thing.tool("usr/bin/svcs", "-x", "thing").stdout


def test_a_manifest_may_say_how_often_is_too_often(thing):
    """A child that fails again and again, however slowly, is put into maintenance; restarts by hand do not count."""
    limits = {"critical_failure_count": 3, "critical_failure_period": 60}
    lines = (f'<propval name="{name}" type="integer" value="{value}"/>' for name, value in limits.items())
    thing.make(f"[ -e broken ] && exit 95\n{WAITING}", critical="".join(lines))
    thing.until(lambda: thing.state == "online")
    for _ in range(4):
        before = thing.prop("restarter/start_pid")
        thing.svcadm("restart", "thing")
        thing.until(lambda pid=before: thing.state == "online" and thing.prop("restarter/start_pid") not in ('""', pid))
    (thing.folder / "broken").touch()
    os.kill(thing.pid, signal.SIGKILL)
    thing.until(lambda: thing.state == "maintenance")

    assert "Restarting too quickly" in thing.tool("usr/bin/svcs", "-x", "thing").stdout


def test_disable_stops_everything_in_the_contract(thing):
    """And enable starts it; both wait when asked to."""
    thing.make(WAITING)
    thing.until(lambda: thing.state == "online" and len(thing.members()) == 2)
    members = thing.members()

    assert (0, "disabled", [False, False]) == (
        thing.svcadm("disable", "-s", "thing"),
        thing.state,
        [lives(pid) for pid in members],
    )
    assert (0, "online") == (thing.svcadm("enable", "-s", "thing"), thing.state)


def test_a_stop_script_is_called(thing):
    """A platform's shell script is run, though this machine keeps its shell elsewhere; refresh has one too."""
    thing.make(
        WAITING.replace("exit 0", "{ kill $(cat pid); exit 0; }").replace("setsid", "echo $$ > pid; :"),
        stop=str(thing.method) + " stop",
    )
    thing.until(lambda: thing.state == "online" and (thing.folder / "pid").exists())
    pid = thing.pid
    assert 0 == thing.svcadm("restart", "thing")
    thing.until(lambda: thing.state == "online" and thing.pid != pid)

    assert ["start", "stop", "start"] == [line.split()[0] for line in thing.notes()]


def test_a_transient_service_runs_once(thing):
    """It is offline on its way to online while its method runs, and has no process afterwards."""
    thing.make("while [ ! -e done ]; do sleep 0.05; done", duration="transient")
    thing.until(lambda: thing.state == "offline*")
    (thing.folder / "done").touch()
    thing.until(lambda: thing.state == "online")

    assert '""' == thing.prop("restarter/start_pid")


@pytest.mark.parametrize(("status", "times"), [(1, 3), (95, 1), (96, 1)])
def test_a_transient_service_that_fails_is_maintained(thing, status, times):
    """Three times, but for what no repetition mends."""
    thing.make(f"echo start >> notes; exit {status}", duration="transient")
    thing.until(lambda: thing.state == "maintenance")

    assert times == len(thing.notes())


def test_a_service_that_is_not_enabled_waits(thing):
    """Importing it again does not change what the operator asked for."""
    thing.make(WAITING, enabled="false")
    thing.until(lambda: thing.state == "disabled")
    thing.svcadm("enable", "-s", "thing")
    thing.make(WAITING, enabled="false")

    assert "online" == thing.state


def test_what_is_no_manifest_is_refused(thing):
    """In svccfg's words."""
    file = thing.folder / "half.xml"
    file.write_text(MANIFEST[:300])
    done = thing.tool("usr/sbin/svccfg", "import", str(file))
    absent = thing.tool("usr/sbin/svccfg", "import", "/nowhere.xml")

    assert (1, "svccfg: couldn't parse document\n") == (done.returncode, done.stderr)
    assert (1, True) == (absent.returncode, "Could not open file" in absent.stderr)


def test_a_deleted_service_is_gone(thing):
    """Only when it is stopped, or by force."""
    thing.make(WAITING)
    thing.until(lambda: thing.state == "online")
    refused = thing.tool("usr/sbin/svccfg", "delete", FMRI)
    forced = thing.tool("usr/sbin/svccfg", "delete", "-f", FMRI)

    assert (1, 0, 1) == (refused.returncode, forced.returncode, thing.tool("usr/bin/svcs", "thing").returncode)


@pytest.mark.parametrize("cut", [False, True], ids=["in order", "power cut"])
def test_a_reboot_keeps_what_the_pool_keeps(thing, cut):
    """What was imported by hand is gone, what lies in /opt/custom/smf is back, and so is /var."""
    thing.make(WAITING)
    thing.until(lambda: thing.state == "online")
    (thing.root / "etc/motd").write_text("gone")
    (thing.root / "var/log/kept").write_text("kept")
    power.reboot(thing.root, cut=cut)
    gone = thing.tool("usr/bin/svcs", "thing").returncode
    thing.make(WAITING, place=thing.root / "opt/custom/smf/thing.xml")
    power.reboot(thing.root, cut=cut)
    thing.until(lambda: thing.state == "online")

    assert (1, False, True) == (gone, (thing.root / "etc/motd").exists(), (thing.root / "var/log/kept").exists())


def test_a_host_that_is_deleted_leaves_no_process(thing):
    """The restarter looks now and then whether there still is a host."""
    thing.make(WAITING)
    thing.until(lambda: thing.state == "online" and len(thing.members()) == 2)
    members = thing.members()
    (thing.root / "var/simulator").rename(thing.root / "var/elsewhere")
    thing.until(lambda: not any(map(lives, members)))

    assert [False, False] == [lives(pid) for pid in members]
