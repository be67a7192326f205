"""The state machine of one imported service: its methods, its contract, and what follows from how they end.

A service of duration child (or wait) is its start method: it is online while that runs, and whatever ends it, but for
a stop and for exit 96 (configuration: maintenance), is followed by a new start, a second later when it failed. Too many
in too short a time are maintenance as well: ten, faster than one a second, or what the manifest says
(critical_failure_count, critical_failure_period). What the dead process had started goes on in an abandoned contract.
A transient service is online once its start method ended well; 95, 96, 99 and 100 are maintenance at once, any other
failure at the third time.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess  # noqa: TID251 - the simulator is the platform, and starts what the platform would
import sys
import threading
import time

from chunter_nsq.smartos.simulator.files import append_bytes, make_folder
from chunter_nsq.smartos.simulator.smf import imported
from chunter_nsq.smartos.simulator.smf.contract import argv_of, members
from chunter_nsq.smartos.simulator.smf.repository import FALSE, TRUE, Host, Repository
from chunter_nsq.smartos.simulator.smf.timeline import NONE, Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONFIG = 96
AT_ONCE = frozenset({95, CONFIG, 99, 100})  # fatal, configuration, no SMF, permission
FAILURES = 3
THROTTLE_SECONDS = 1.0
EMPTY_SECONDS = 5.0


class Contract:
    """One start method and what it started; ``on_end`` is told how the method ended."""

    def __init__(self, argv: list[str], manifest: dict[str, Any], verb: str, log: str, inbox: queue.Queue[Any]) -> None:
        fmri = manifest["fmri"]
        environment = {
            "PATH": "/usr/sbin:/usr/bin", **manifest["environment"], "SMF_FMRI": fmri, "SMF_METHOD": verb,
            "SMF_RESTARTER": "svc:/system/svc/restarter:default", "SMF_ZONENAME": "global",
        }  # fmt: skip
        package = os.path.realpath(__file__).rsplit("/", 5)[0]
        code = (
            f"import sys; sys.path.insert(0, {package!r})\n"
            "from chunter_nsq.smartos.simulator.smf.contract import hold; hold(sys.argv[2:], sys.argv[1])"
        )
        with open(log, "ab") as stderr:  # noqa: PTH123 - as elsewhere here, without pathlib
            self._holder = subprocess.Popen(
                [sys.executable, "-IS", "-c", code, manifest["folder"], *argv], env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True,
            )  # fmt: skip
        self.id = self._holder.pid
        self.started = time.monotonic()
        self.pid = 0
        word, number = self._said()
        if word == "started":
            self.pid = int(number)
        self._inbox = inbox
        self._first = (word, number)
        threading.Thread(target=self._listen, daemon=True).start()

    def _said(self) -> tuple[str, str]:
        """The holder's next line; two empty words at its end."""
        line = self._holder.stdout.readline() if self._holder.stdout else b""
        word, _, number = line.decode().partition(" ")
        return word, number

    def _listen(self) -> None:
        word, number = self._first
        while word:
            if word == "ended":
                self._inbox.put(("ended", self, int(number)))
            word, number = self._said()
        self._holder.wait()

    def members(self) -> list[int]:
        """Who is in it."""
        return members(self.id) if self._holder.poll() is None else []

    def signal(self, number: int) -> None:
        """To everybody in it."""
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def is_empty_within(self, seconds: float) -> bool:
        """Whether everybody left in time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._holder.wait(seconds)
        return self._holder.poll() is not None

    def cut(self) -> None:
        """Everybody ends now."""
        if self._holder.stdin is not None:
            self._holder.stdin.close()
        self._holder.wait()


class Instance(threading.Thread):
    """One imported service; ``ask`` hands it a request."""

    def __init__(self, root: str, fmri: str) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._fmri = fmri
        self._log_file = f"{root}/var/svc/log/{imported.file_name(fmri)}.log"
        self._inbox: queue.Queue[Any] = queue.Queue()
        self._contract: Contract | None = None
        self._contracts: list[Contract] = []
        self._starts: list[float] = []
        self._failures = 0
        self._state = "uninitialized"
        self._over = False
        make_folder(f"{root}/var/svc/log")

    def ask(self, verb: str) -> None:
        """What svcadm, svccfg or the end of the host asks for."""
        self._inbox.put(("asked", verb, None))

    def run(self) -> None:
        """Until the host goes down."""
        while not self._over:
            kind, what, status = self._inbox.get()
            try:
                if kind == "ended":
                    self._ended(what, status)
                else:
                    getattr(self, f"_{what}")()
            except Exception as fault:  # noqa: BLE001 - the service falls ill, and says why
                self._log(f"svc.startd failed: {type(fault).__name__}: {fault}")
                self._ill(f"the simulated restarter failed: {fault}")

    # -- requests

    def _sync(self) -> None:
        """The first look, after an import or a boot."""
        enabled = self._record().is_enabled()
        if self._state == "uninitialized":
            self._become("offline" if enabled else "disabled")
            if enabled:
                self._start()

    def _enable(self) -> None:
        self._starts.clear()
        if self._state in ("disabled", "uninitialized"):
            self._become("offline")
            self._start()

    def _disable(self) -> None:
        if self._state in ("online", "offline"):
            self._stop("disabled")
        else:
            self._become("disabled")

    def _restart(self) -> None:
        self._starts.clear()  # those that somebody asked for do not count
        if self._state == "online":
            self._stop("offline")
            if self._state == "offline":
                self._start()

    def _refresh(self) -> None:
        if self._state == "online" and "refresh" in self._manifest()["methods"]:
            self._method("refresh")

    def _clear(self) -> None:
        if self._state == "maintenance":
            self._starts.clear()
            self._failures = 0
            self._become("offline")
            self._start()

    def _shutdown(self) -> None:
        if self._state == "online":
            self._stop("offline")
        self._cut()

    def _cut(self) -> None:
        """No method, no goodbye."""
        self._over = True
        for contract in self._contracts:
            contract.cut()

    # -- methods

    def _start(self) -> None:
        manifest = self._manifest()
        starts, seconds = manifest["critical"]
        self._starts = [*self._starts, time.monotonic()][-starts:]
        if len(self._starts) == starts and self._starts[-1] - self._starts[0] < seconds * (starts - 1):
            self._log("Restarting too quickly, changing state to maintenance.")
            self._ill("Restarting too quickly.")
            return
        command, _limit = manifest["methods"]["start"]
        self._become("offline", "online")
        if command == ":true":
            self._become("online")
            return
        self._log(f'Executing start method ("{command}").')
        argv = argv_of(command, {"%m": "start", "%f": self._fmri})
        self._contract = Contract(argv, manifest, "start", self._log_file, self._inbox)
        self._contracts = [one for one in self._contracts if one.members()] + [self._contract]
        if manifest["duration"] != "transient":
            self._become("online")

    def _ended(self, contract: Contract, status: int) -> None:
        if contract is not self._contract:
            return
        manifest = self._manifest()
        if manifest["duration"] == "transient":
            self._ran(status)
            return
        how = f"exited with status {status}" if status >= 0 else f"died of signal {-status}"
        self._log(f"Stopping because process {how}.")
        self._contract = None
        if status == CONFIG:
            self._ill(f"Start method exited with $SMF_EXIT_ERR_CONFIG ({CONFIG}).")
            return
        self._become("offline")
        if status > 0:
            time.sleep(max(0.0, contract.started + THROTTLE_SECONDS - time.monotonic()))
        if self._record().is_enabled():
            self._start()
        else:
            self._become("disabled")

    def _ran(self, status: int) -> None:
        """The start method of a transient service came to its end."""
        self._log(f'Method "start" exited with status {status}.')
        self._contract = None
        if status == 0:
            self._failures = 0
            self._become("online")
            return
        self._failures += 1
        if status in AT_ONCE or self._failures >= FAILURES:
            self._ill(f"Start method failed, last exited with status {status}.")
        else:
            self._start()

    def _stop(self, then: str) -> None:
        """Call the stop method and wait until the contract is empty; else maintenance."""
        self._become(self._state, then)
        contract, self._contract = self._contract, None
        command, limit = self._manifest()["methods"].get("stop", [":true", 0])
        if command.startswith(":kill") and contract:
            self._log(f"Stopping because service {then}.")
            contract.signal(int(command.partition("-")[2] or signal.SIGTERM))
        elif not command.startswith(":"):
            status = self._method("stop")
            if status != 0:
                self._log(f'Method "stop" failed with status {status}.')
        if contract is not None and not contract.is_empty_within(limit or EMPTY_SECONDS):
            contract.signal(signal.SIGKILL)
            contract.is_empty_within(EMPTY_SECONDS)
            self._ill("Stop method left processes behind.")
            return
        self._become(then)

    def _method(self, verb: str) -> int:
        """Run stop or refresh to its end, or to the end of its time; its exit status."""
        manifest = self._manifest()
        command, limit = manifest["methods"][verb]
        if command == ":true":
            return 0
        self._log(f'Executing {verb} method ("{command}").')
        argv = argv_of(command, {"%m": verb, "%f": self._fmri})
        inbox: queue.Queue[Any] = queue.Queue()
        contract = Contract(argv, manifest, verb, self._log_file, inbox)
        try:
            status = int(inbox.get(timeout=limit or None)[2])
        except queue.Empty:
            self._log(f'Method "{verb}" timed out.')
            status = -signal.SIGKILL
        contract.cut()
        self._log(f'Method "{verb}" exited with status {status}.')
        return status

    # -- records

    def _manifest(self) -> dict[str, Any]:
        return imported.all_of(self._root)[self._fmri]

    def _record(self) -> Any:
        host = Host(self._root)
        return Repository(host, host.global_boot).record(self._fmri)

    def _become(self, state: str, towards: str = NONE, reason: str = "") -> None:
        self._state = state
        told: dict[str, Any] = {"reason": reason} if reason else {}
        if self._contract is not None:
            told |= {"start_pid": self._contract.pid, "contract": self._contract.id}
        imported.tell(self._root, self._fmri, told)
        host = Host(self._root)
        with host.lock():
            repository = Repository(host, host.global_boot)
            record = repository.record(self._fmri)
            now = time.time()
            last = record.phases[-1] if record.phases else Phase(now, state)
            record.phases = [Phase(now, state, towards, last.since if last.state == state else now)]
            if record.enabled == NONE:
                record.enabled = TRUE if self._manifest()["enabled"] else FALSE
            repository.save()

    def _ill(self, reason: str) -> None:
        self._contract = None
        self._become("maintenance", reason=reason)

    def _log(self, text: str) -> None:
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
        append_bytes(self._log_file, f"[ {stamp} {text} ]\n".encode())
