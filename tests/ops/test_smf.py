from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

REPOSITORY = Path(__file__).parents[2]
MANIFEST = REPOSITORY / "smf" / "chunter.xml"
METHOD = REPOSITORY / "smf" / "chunter-method"
GRAMMAR = REPOSITORY.parent / "shared" / "data" / "service_bundle.dtd.1"
DRAIN_SECONDS = 60

# The agent of the method tests: it starts a tool, notes its signals, and on SIGTERM whether the tool still lives.
AGENT = """
import os, signal, subprocess, sys
notes = open(sys.argv[1], "a", buffering=1)
tool = subprocess.Popen([sys.executable, "-c", sys.argv[2]], stdout=subprocess.PIPE)
tool.stdout.readline()
def end(*_):
    notes.write("TERM, tool " + ("lives\\n" if tool.poll() is None else "died\\n"))
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGHUP, lambda *_: notes.write("HUP\\n"))
print(tool.pid, flush=True)
while True:
    signal.pause()
"""
TOOL = "import time; print(flush=True); time.sleep(300)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(300)"

# Stand-ins for two programs of the platform; a session plays the process contract.
SVCPROP = """\
#!{python}
import sys
print({{"restarter/start_pid": {start_pid}, "restarter/contract": {contract}}}[sys.argv[2]])
"""
PGREP = """\
#!{python}
import os, sys
from pathlib import Path
for stat in Path("/proc").glob("[0-9]*/stat"):
    try:
        state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
    except OSError:
        continue
    if session in sys.argv[2].split(",") and state != "Z":
        print(stat.parent.name)
"""


def missing(part):
    """Skip for want of a real part; where all are required, fail."""
    if os.environ.get("CHUNTER_REQUIRE_ALL") == "1":
        pytest.fail(f"{part} is missing")
    pytest.skip(f"{part} is missing")


@pytest.fixture(scope="module")
def service():
    """The one service of the manifest."""
    return ET.parse(MANIFEST).getroot().find("service")  # noqa: S314 - our own file


class Contract:
    """An agent and its tool, with what the method script may ask the platform about them."""

    def __init__(self, folder, tool):
        self.notes = folder / "notes"
        self.root = folder / "platform"
        command = [sys.executable, "-c", AGENT, str(self.notes), tool]
        self.agent = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        self.tool = int(self.agent.stdout.readline())
        (self.root / "usr" / "bin").mkdir(parents=True)
        self.platform(self.agent.pid)

    def platform(self, start_pid):
        """Write the stand-ins; ``start_pid`` is what svc.startd remembers."""
        for name, text in (("svcprop", SVCPROP), ("pgrep", PGREP)):
            file = self.root / "usr" / "bin" / name
            file.write_text(text.format(python=sys.executable, start_pid=start_pid, contract=self.agent.pid))
            file.chmod(0o755)

    def method(self, verb, **environment):
        """Call the script as svc.startd does."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "SMF_FMRI": "svc:/network/chunter:default"} | environment
        return subprocess.run(
            ["sh", METHOD, verb, self.root], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def noted(self, note):
        """Whether the agent noted a signal within two seconds."""
        until = time.monotonic() + 2
        while note not in self.notes.read_text():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def tool_lives(self):
        """Whether the tool runs."""
        try:
            state = Path(f"/proc/{self.tool}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        return state != "Z"

    def end(self):
        """Leave nothing behind."""
        if self.tool_lives():
            os.kill(self.tool, signal.SIGKILL)
        self.agent.kill()
        self.agent.wait()
        self.agent.stdout.close()


@pytest.fixture
def contract(tmp_path, request):
    """A running service; the parameter is the program of its tool."""
    made = Contract(tmp_path, getattr(request, "param", TOOL))
    yield made
    made.end()


def test_the_manifest_is_valid_by_the_grammar_of_smf(tmp_path):
    """What svccfg import would check."""
    if not GRAMMAR.exists():
        missing(GRAMMAR)
    if (xmllint := shutil.which("xmllint")) is None:
        missing("xmllint")
    plain = tmp_path / "chunter.xml"  # without the DOCTYPE, which names the grammar's place on the platform
    plain.write_text(re.sub(r"<!DOCTYPE[^>]*>", "", MANIFEST.read_text()))

    command = [xmllint, "--nonet", "--noout", "--dtdvalid", GRAMMAR, plain]
    done = subprocess.run(command, text=True, capture_output=True, check=False)

    assert 0 == done.returncode, done.stderr


def test_the_service_has_its_documented_name(service):
    """Svcs chunter shows svc:/network/chunter:default, enabled, a single instance."""
    assert ("network/chunter", "true", True) == (
        service.get("name"),
        service.find("create_default_instance").get("enabled"),
        service.find("single_instance") is not None,
    )


def test_the_agent_itself_is_the_service(service):
    """A child in the foreground; a tool's death is not the service's; ten of its own in a row are maintenance."""
    startd = {value.get("name"): value.get("value") for value in service.findall("property_group/propval")}
    limits = {"critical_failure_count": "10", "critical_failure_period": "60"}

    assert ({"duration": "child", "ignore_error": "core,signal", **limits}, "/opt/chunter/bin/chunter run") == (
        startd,
        service.find("exec_method[@name='start']").get("exec"),
    )


def test_stop_leaves_time_for_the_drain_and_for_the_script(service):
    """The agent's 60 seconds fit into the script's, and the script's into SMF's."""
    limits = {
        name: int(value) for name, value in re.findall(r"^(\w+)_SECONDS=(\d+)$", METHOD.read_text(), re.MULTILINE)
    }
    timeout = int(service.find("exec_method[@name='stop']").get("timeout_seconds"))

    assert DRAIN_SECONDS < limits["AGENT"] < limits["AGENT"] + 2 * limits["REST"] < timeout


def test_stop_and_refresh_do_not_signal_the_whole_contract(service):
    """Neither is :kill; both call the script."""
    assert ["/opt/chunter/share/chunter-method stop", "/opt/chunter/share/chunter-method refresh"] == [
        service.find(f"exec_method[@name='{name}']").get("exec") for name in ("stop", "refresh")
    ]


def test_the_environment_is_the_plain_one(service):
    """English messages, UTC, and the platform's own programs only."""
    environment = {each.get("name"): each.get("value") for each in service.iter("envvar")}

    assert {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/opt/chunter"} == environment


def test_the_exit_statuses_are_documented():
    """Who reads the manifest knows what 95 and 96 mean."""
    assert ["95", "96"] == re.findall(r"^\s+(9[56])  \w", MANIFEST.read_text(), re.MULTILINE)


def test_refresh_signals_the_agent_alone(contract):
    """SIGHUP reaches the agent; the tool, which it would kill, goes on."""
    done = contract.method("refresh")

    assert (0, True, True) == (done.returncode, contract.noted("HUP\n"), contract.tool_lives())


def test_refresh_does_not_signal_a_stranger(contract):
    """A process id that is no longer of the contract is left alone."""
    stranger = subprocess.Popen(["sleep", "60"])
    contract.platform(stranger.pid)

    done = contract.method("refresh")

    assert (0, "chunter-method: the agent is gone, no HUP is sent\n", None, "") == (
        done.returncode,
        done.stdout,
        stranger.poll(),
        contract.notes.read_text(),
    )
    stranger.kill()
    stranger.wait()


def test_stop_lets_the_agent_end_before_its_tools(contract):
    """The agent drains while its tools run; then nothing of the contract is left."""
    done = contract.method("stop")

    assert (0, "TERM, tool lives\n", 0, False) == (
        done.returncode,
        contract.notes.read_text(),
        contract.agent.wait(),
        contract.tool_lives(),
    )


def test_stop_after_the_agent_died_ends_what_is_left(contract):
    """A tool that the agent left behind does not keep the service from stopping."""
    contract.agent.kill()
    contract.agent.wait()

    done = contract.method("stop")

    assert (0, False) == (done.returncode, contract.tool_lives())


@pytest.mark.parametrize("contract", [STUBBORN], indirect=True)
def test_stop_kills_a_tool_that_does_not_listen(contract):
    """The contract is empty in time, or SMF would put the service into maintenance."""
    done = contract.method("stop")

    assert (0, True, False) == (done.returncode, "KILL to what is left" in done.stdout, contract.tool_lives())


def test_stop_without_a_contract_has_nothing_to_do(contract):
    """A property without a value, as svcprop writes it, is no contract."""
    svcprop = contract.root / "usr" / "bin" / "svcprop"
    svcprop.write_text(
        textwrap.dedent("""\
        #!/bin/sh
        echo '""'
        """)
    )

    done = contract.method("stop")

    assert (0, "", True) == (done.returncode, contract.notes.read_text(), contract.tool_lives())


@pytest.mark.parametrize(("verb", "fmri", "status"), [("start", "svc:/network/chunter:default", 2), ("stop", "", 99)])
def test_the_script_refuses_to_be_called_wrongly(contract, verb, fmri, status):
    """An unknown verb is a usage error; outside SMF it says what to use."""
    assert status == contract.method(verb, SMF_FMRI=fmri).returncode


def test_the_script_can_be_executed():
    """It has the mode that exec needs, and the shell of the platform."""
    assert (True, "#!/sbin/sh") == (os.access(METHOD, os.X_OK), METHOD.read_text().splitlines()[0])
