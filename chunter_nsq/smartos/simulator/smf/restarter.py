"""The restarter of a simulated host: one process that starts, watches and ends the imported services.

It is started by the first request and ends with the host: when it gets SIGTERM (services are stopped in order),
SIGUSR1 (the power is cut), or when the host's directory is gone. It leaves no process behind, even if it is killed:
each contract's holder notices.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys

from chunter_nsq.smartos.simulator.files import Lock, exists, remove, write_bytes
from chunter_nsq.smartos.simulator.smf import imported
from chunter_nsq.smartos.simulator.smf.instance import Instance

LOOK_SECONDS = 0.5
_LINE_BYTES = 4096


class Ended(BaseException):
    """A signal asked the host to go down; ``verb`` says how."""

    def __init__(self, verb: str) -> None:
        super().__init__(verb)
        self.verb = verb


def main(root: str) -> None:
    """Serve a host until it goes down."""
    with Lock(f"{root}/var/run/simulator/restarter.lock"):
        pipe = f"{root}/{imported.PIPE}"
        with contextlib.suppress(FileExistsError):
            os.mkfifo(pipe)
        descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGTERM, _down("shutdown"))
        signal.signal(signal.SIGUSR1, _down("cut"))
        write_bytes(f"{root}/{imported.PIDFILE}", f"{os.getpid()}\n".encode())
        services: dict[str, Instance] = {}
        verb = "cut"
        try:
            _serve(root, descriptor, services)
        except Ended as ended:
            verb = ended.verb
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        remove(pipe)
        for one in services.values():
            one.ask(verb)
        for one in services.values():
            one.join()
        remove(f"{root}/{imported.PIDFILE}")
    sys.exit(0)


def _serve(root: str, descriptor: int, services: dict[str, Instance]) -> None:
    rest = b""
    while exists(f"{root}/var/simulator"):
        ready, _, _ = select.select([descriptor], [], [], LOOK_SECONDS)
        if not ready:
            continue
        *lines, rest = (rest + os.read(descriptor, _LINE_BYTES)).split(b"\n")
        for line in lines:
            verb, _, fmri = line.decode().partition(" ")
            if fmri not in services and verb == "cut":
                continue
            if fmri not in services:
                services[fmri] = Instance(root, fmri)
                services[fmri].start()
                if verb != "sync":
                    services[fmri].ask("sync")
            services[fmri].ask(verb)
            if verb == "cut":
                services.pop(fmri).join()


def _down(verb: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a signal handler
    def handle(*_: object) -> None:
        raise Ended(verb)

    return handle
