"""The world of `make up`: a simulated SmartOS host, its agent's tree, what nsqd and an object store keep between runs.

`--prepare` makes what is not there yet, writes the ports to ``.up/env`` for the Procfile, and says what to try.
`--store` runs the object store and makes its bucket.
`--outlive-agent PROGRAM ...` runs a program that ends only after the agent did: honcho asks all at once to end, and
the agent still has a goodbye to publish.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from chunter_nsq import identity
from chunter_nsq.config import Paths
from chunter_nsq.errors import Fault
from chunter_nsq.smartos import simulator
from chunter_nsq.storage.account import Account
from tools import weed
from tools.demo.store import account, make_bucket, settings

ZONES = 3
SERVICES = 3
PORTS = {
    "CHUNTER_UP_NSQD_TCP": 4150,
    "CHUNTER_UP_NSQD_HTTP": 4151,
    "CHUNTER_UP_LOOKUPD_TCP": 4160,
    "CHUNTER_UP_LOOKUPD_HTTP": 4161,
    "CHUNTER_UP_NSQADMIN": 4171,
    "CHUNTER_UP_STATUS": 4200,
    "CHUNTER_UP_S3": 8333,
}
# Honcho kills what did not end within five seconds.
GRACE_SECONDS = 4.0
_POLL_SECONDS = 0.05


class PortTaken(Exception):
    """Somebody else listens where this world wants to."""


def main(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """The exit status."""
    folder = Path(environment.get("CHUNTER_UP_DIR") or ".up").absolute()
    if arguments[:1] == ["--outlive-agent"] and len(arguments) > 1:
        return outlive_agent(arguments[1:], Paths.find(folder / "chunter"))
    if list(arguments) == ["--store"]:
        return keep_store(folder / "store", _port("CHUNTER_UP_S3", environment["CHUNTER_UP_S3"]))
    if list(arguments) != ["--prepare"]:
        print("usage: python -m tools.world --prepare | --store | --outlive-agent PROGRAM ...", file=sys.stderr)
        return 2
    try:
        ports = chosen_ports(environment)
    except (PortTaken, ValueError) as fault:
        print(fault, file=sys.stderr)
        return 1
    is_new = prepare(folder, ports)
    print(advice(folder, ports, is_new=is_new))
    return 0


def chosen_ports(environment: Mapping[str, str]) -> dict[str, int]:
    """The ports by the name of the variable that moves each.

    Raises:
        ValueError: a variable is no port.
        PortTaken: one cannot be listened on.
    """
    ports = {name: _port(name, environment.get(name) or str(default)) for name, default in PORTS.items()}
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as fault:
                raise PortTaken(
                    f"127.0.0.1:{port} cannot be used ({fault.strerror}). Is this world up already? "
                    f"Another port: {name}=PORT make up"
                ) from None
    return ports


def _port(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**16):
        raise ValueError(f"{name} must be a port, not {text!r}")
    return int(text)


def prepare(folder: Path, ports: Mapping[str, int]) -> bool:
    """Make what is missing below ``folder``; whether the host in it is a new one."""
    platform, root = folder / "platform", folder / "chunter"
    is_new = not platform.exists()
    if is_new:
        draft = folder / "platform.new"
        shutil.rmtree(draft, ignore_errors=True)
        simulator.create(draft, zones=ZONES, services=SERVICES, latency="realistic")
        draft.rename(platform)
    (folder / "nsqd").mkdir(parents=True, exist_ok=True)
    (root / "etc").mkdir(parents=True, exist_ok=True)
    identity.host_id(Paths.find(root))
    backups = "".join(f"{key} = {value}\n" for key, value in settings(account(ports["CHUNTER_UP_S3"])).items())
    (root / "etc" / "chunter.conf").write_text(
        "# Written anew by each `make up`.\n"
        f"platform_root = {platform}\n"
        f"nsqd = 127.0.0.1:{ports['CHUNTER_UP_NSQD_TCP']}\n"
        f"nsqlookupd = 127.0.0.1:{ports['CHUNTER_UP_LOOKUPD_HTTP']}\n"
        f"status_listen = 127.0.0.1:{ports['CHUNTER_UP_STATUS']}\n"
        "log.format = text\n" + backups
    )
    chosen = {"CHUNTER_UP_DIR": str(folder), **{name: str(port) for name, port in ports.items()}}
    (folder / "env").write_text("".join(f"{name}={value}\n" for name, value in chosen.items()))
    return is_new


def advice(folder: Path, ports: Mapping[str, int], *, is_new: bool) -> str:
    """What there is and what to try."""
    host = Paths.find(folder / "chunter").hostid.read_text().strip()
    door, tcp = (f"127.0.0.1:{ports[name]}" for name in ("CHUNTER_UP_NSQD_HTTP", "CHUNTER_UP_NSQD_TCP"))
    place = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    moved = "" if door == "127.0.0.1:4151" else f"\n  export CHUNTER_NSQD_HTTP={door}"
    which = "A new simulated host" if is_new else "The simulated host of last time"
    queues, status = (f"http://127.0.0.1:{ports[name]}" for name in ("CHUNTER_UP_NSQADMIN", "CHUNTER_UP_STATUS"))
    return f"""
{which} lies in {place}/platform (rm -rf {place} forgets it).
It reads commands on chunter.command.{host}
and, when their "host" names it, on chunter.command.

In another terminal, what it publishes:
  .tools/bin/nsq_tail --nsqd-tcp-address={tcp} --channel=look \\
    --topic=chunter.result --topic=chunter.zone --topic=chunter.snapshot
and something to do:{moved}
  curl -d '{{"action":"host.ping","host":"*"}}' 'http://{door}/pub?topic=chunter.command'
  .venv/bin/chunter call --host '*' machine.list
  {place}/platform/usr/sbin/vmadm list
  .venv/bin/chunter call --host '*' backup.create --uuid VM -p snapshot=monday
  .venv/bin/chunter backups
  .venv/bin/chunter restore VM monday     (the machine must be stopped)

Queues: {queues}/   Agent: {status}/api/status   End: ctrl-C
"""


def keep_store(folder: Path, port: int) -> int:
    """Run the object store until asked to end.

    It is killed then: what it wrote is in its files, and by itself it would take a quarter of a minute. Its other doors
    are elsewhere each time, else it would wait as long for the one that it was before.
    """
    *others, grpc = weed.free_ports()
    ports = [*others, port]
    argv = [weed.program(), *weed.arguments(folder, ports, grpc)]
    asked: list[int] = []
    with (folder / "store.log").open("wb") as log:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **weed.ENVIRONMENT},
        )  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: (asked.append(number), child.kill()))
    _await_bucket(account(port), child)
    status = child.wait()
    weed.remove_sockets(ports, grpc)
    if not asked:
        print((folder / "store.log").read_text(errors="replace")[-2000:], file=sys.stderr)
    return 0 if asked else status or 1


def _await_bucket(owner: Account, child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None:
        try:
            make_bucket(owner)
        except Fault:
            time.sleep(_POLL_SECONDS)
        else:
            print(f"takes backups at {owner.endpoint}, bucket {owner.bucket}", flush=True)
            return


def outlive_agent(argv: Sequence[str], paths: Paths) -> int:
    """Run a program; pass the wish to end on to it once no agent runs on the tree, or soon anyway."""
    asked: list[float] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.append(time.monotonic()))
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    while child.poll() is None:
        if asked and (not _is_locked(paths.lock) or time.monotonic() - asked[0] > GRACE_SECONDS):
            child.terminate()
            return child.wait()
        time.sleep(_POLL_SECONDS)
    return child.returncode


def _is_locked(file: Path) -> bool:
    try:
        with file.open() as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
