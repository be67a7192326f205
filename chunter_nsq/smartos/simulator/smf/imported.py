"""Services that svccfg imported into the global zone: unlike those that a host comes with, they really run.

The manifest lies in ``etc/svc/imported``, which is on the ramdisk as the platform's own repository is: a reboot forgets
it. What a service does now (its process, its contract, why it is ill) lies in ``var/run/simulator/smf``. The
restarter, a process of the simulated host, starts and watches them; it is asked through a named pipe.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from chunter_nsq.smartos.simulator import jsontext
from chunter_nsq.smartos.simulator.files import Lock, exists, make_folder, names, read_bytes, remove, write_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = "etc/svc/imported"
STATUS = "var/run/simulator/smf"
PIPE = "var/run/simulator/restarter.fifo"
PIDFILE = "var/run/simulator/restarter.pid"
_START_SECONDS = 10.0


def file_name(fmri: str) -> str:
    """``network-chunter:default``, as its log is named too."""
    return fmri.removeprefix("svc:/").replace("/", "-")


def all_of(root: str) -> dict[str, dict[str, Any]]:
    """The manifests by FMRI."""
    folder = f"{root}/{FOLDER}"
    found = [jsontext.loads(read_bytes(f"{folder}/{name}") or b"{}") for name in names(folder)]
    return {one["fmri"]: one for one in found if one}


def is_imported(root: str, fmri: str) -> bool:
    """Whether the service is one of them."""
    return exists(f"{root}/{FOLDER}/{file_name(fmri)}")


def keep(root: str, manifest: dict[str, Any]) -> None:
    """It is there from now on, or again with other methods."""
    make_folder(f"{root}/{FOLDER}")
    write_bytes(f"{root}/{FOLDER}/{file_name(manifest['fmri'])}", jsontext.dumps(manifest, indent=1).encode())


def forget(root: str, fmri: str) -> None:
    """It is gone."""
    remove(f"{root}/{FOLDER}/{file_name(fmri)}")
    remove(f"{root}/{STATUS}/{file_name(fmri)}")


def status(root: str, fmri: str) -> dict[str, Any]:
    """What it does: ``start_pid``, ``contract``, ``reason``; each only when there is one."""
    found: dict[str, Any] = jsontext.loads(read_bytes(f"{root}/{STATUS}/{file_name(fmri)}") or b"{}")
    return found


def tell(root: str, fmri: str, told: dict[str, Any]) -> None:
    """Say what it does."""
    make_folder(f"{root}/{STATUS}")
    write_bytes(f"{root}/{STATUS}/{file_name(fmri)}", jsontext.dumps(told).encode())


def ask(root: str, verb: str, fmri: str) -> None:
    """Hand a request to the restarter, which is started when there is none."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            descriptor = os.open(f"{root}/{PIPE}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as fault:
            if fault.errno not in (errno.ENOENT, errno.ENXIO):
                raise
            if time.monotonic() > deadline:
                raise TimeoutError(f"the restarter of {root} does not start") from fault
            start(root)
            time.sleep(0.02)
            continue
        try:
            os.write(descriptor, f"{verb} {fmri}\n".encode())
        finally:
            os.close(descriptor)
        return


def start(root: str) -> None:
    """Start the restarter, unless somebody did; it goes on when this process ends."""
    import subprocess  # noqa: PLC0415, TID251 - the simulator is the platform, and starts what the platform would

    with Lock(f"{root}/var/run/simulator/restarter.start"):
        if restarter(root):
            return
        package = os.path.realpath(__file__).rsplit("/", 5)[0]
        code = (
            f"import sys; sys.path.insert(0, {package!r})\n"
            f"from chunter_nsq.smartos.simulator.smf.restarter import main; main({root!r})"
        )
        child = subprocess.Popen(
            [sys.executable, "-IS", "-c", code],
            cwd="/", env={"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C", "TZ": "UTC"}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not restarter(root) and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        child.returncode = 0  # whoever adopts it reaps it; no warning about that here


def restarter(root: str) -> int:
    """The restarter's process id; 0 when there is none."""
    pid = int(read_bytes(f"{root}/{PIDFILE}") or b"0")
    try:
        command = read_bytes(f"/proc/{pid}/cmdline") if pid else None
    except OSError:
        return 0
    return pid if command and root.encode() in command and b"restarter" in command else 0
