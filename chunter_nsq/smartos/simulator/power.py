"""The host's power: an orderly shutdown, a cut, and a boot that finds only what a SmartOS host keeps.

The root of a SmartOS host is a ramdisk: /opt, /var, /zones, /usbkey and /etc/zones are on the pool and stay, all else
comes from the platform image or is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

from chunter_nsq.smartos.simulator.files import read_bytes
from chunter_nsq.smartos.simulator.host import PLACE
from chunter_nsq.smartos.simulator.kernel import Kernel
from chunter_nsq.smartos.simulator.smf import imported
from chunter_nsq.smartos.simulator.smf.importing import bring
from chunter_nsq.smartos.simulator.world import World
from chunter_nsq.smartos.simulator.xmltree import root_attributes

KEPT = frozenset({"opt", "var", "zones", "usbkey", "etc", "usr", "invocations.jsonl"})
KEPT_IN_ETC = frozenset({"zones"})
TMPFS = ("var/run", "tmp", "etc/svc/volatile")
MANIFESTS = "opt/custom/smf"
_DOWN_SECONDS = 120.0


def shutdown(directory: Path, *, cut: bool = False) -> None:
    """Stop the services that run, in order or, when the power is ``cut``, by SIGKILL; no process is left.

    Raises:
        TimeoutError: a service does not end.
    """
    root = str(directory.absolute())
    pid = imported.restarter(root)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1 if cut else signal.SIGTERM)
        deadline = time.monotonic() + _DOWN_SECONDS
        while imported.restarter(root):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the services of {root} do not end; its restarter is process {pid}")
            time.sleep(0.01)


def reboot(directory: Path, *, cut: bool = False) -> None:
    """Shut down, forget what lay on the ramdisk, and boot: zones with autoboot run, custom manifests are imported."""
    directory = directory.absolute()
    shutdown(directory, cut=cut)
    running = set(Kernel(str(directory)).zones)
    _forget(directory)
    _boot(directory, running)


def _forget(directory: Path) -> None:
    gone = [one for one in directory.iterdir() if one.name not in KEPT]
    gone += [one for one in (directory / "etc").iterdir() if one.name not in KEPT_IN_ETC]
    gone += [directory / place for place in TMPFS]
    gone.append(directory / "var/svc/global")  # the global zone's repository is made anew at each boot
    for one in gone:
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        else:
            one.unlink(missing_ok=True)
    for place in ("var/run/zones", "var/run/simulator", "tmp"):
        (directory / place).mkdir(parents=True)


def _boot(directory: Path, running: set[str]) -> None:
    root = str(directory)
    told = directory / PLACE
    told.write_text(json.dumps({**json.loads(told.read_text()), "boot_time": int(time.time())}, indent=1))
    world = World(root)
    for zone in world.zones():
        document = read_bytes(f"{root}/etc/zones/{zone.name}.xml") or b""
        if zone.name in running and root_attributes(document).get("autoboot") == "true":
            world.make_ready(zone.name)
            world.make_running(zone.name)
    for manifest in sorted((directory / MANIFESTS).glob("*.xml")):
        bring(root, manifest.read_bytes())
