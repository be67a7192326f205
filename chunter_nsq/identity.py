"""Who this host is: its id, its name, the address it reports, and the lock that keeps it one agent.

The id is made once and kept in etc/hostid, which survives updates, new host names and new installations. Controllers,
topics and backups know the host by it, so a file that cannot be used is an error with a remedy, never a reason for
a new id. Two agents that start at the same moment on a fresh tree agree on one id: each writes a file of its own and
links it to the final name, and the first link wins.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from chunter_nsq.config.paths import Paths

LONGEST_TOPIC = 64
HYPERVISOR = b"\x06"  # FiFo marks what an id stands for in its first byte

_NAME = re.compile(r"[.a-zA-Z0-9_-]+")


class IdentityUnusable(Exception):
    """The host id, or the file that should hold it, cannot be used; the text names the file and the remedy."""


class AlreadyRunning(Exception):
    """Another agent runs on this tree."""


def host_id(paths: Paths, topic_prefix: str = "chunter") -> str:
    """This host's id, made at first need. Raises IdentityUnusable."""
    if (known := known_id(paths, topic_prefix)) is not None:
        return known
    try:
        _make(paths.hostid)
    except OSError as broken:
        raise IdentityUnusable(f"{paths.hostid} cannot be made ({broken.strerror}); make its folder writable") from None
    return _checked(_read(paths.hostid) or "", paths.hostid, topic_prefix)


def known_id(paths: Paths, topic_prefix: str = "chunter") -> str | None:
    """This host's id, None when it has none yet. Raises IdentityUnusable."""
    for file in (paths.hostid, paths.old_hostid):
        if (found := _read(file)) is not None:
            return _checked(found, file, topic_prefix)
    return None


def new_id() -> str:
    """A random UUID (version 4) whose first byte says "hypervisor"."""
    return str(uuid.UUID(bytes=HYPERVISOR + uuid.uuid4().bytes[1:]))


def _read(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("ascii").rstrip("\r\n")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise IdentityUnusable(f"{file} is not text; {_remedy(file)}") from None
    except OSError as broken:
        raise IdentityUnusable(f"{file} cannot be read: {broken.strerror}") from None


def _checked(found: str, file: Path, topic_prefix: str) -> str:
    if not found.strip():
        raise IdentityUnusable(f"{file} is empty; {_remedy(file)}")
    if not _NAME.fullmatch(found):
        raise IdentityUnusable(
            f"{file} holds {found[:80]!r}, but an id is one line of A-Z a-z 0-9 . _ -; {_remedy(file)}"
        )
    topic = f"{topic_prefix}.command.{found}"
    if len(topic) > LONGEST_TOPIC:
        raise IdentityUnusable(
            f"{file}: the topic {topic} has {len(topic)} characters and NSQ allows {LONGEST_TOPIC}; "
            "shorten topic_prefix, or the id"
        )
    return found


def _remedy(file: Path) -> str:
    return f"put the former id back, or remove {file} if this host never had one"


def _make(file: Path) -> None:
    """Write a new id so that it is whole or absent after a crash, and the first of several writers wins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{uuid.uuid4()}")
    try:
        with draft.open("x", encoding="ascii") as text:
            text.write(f"{new_id()}\n")
            text.flush()
            os.fsync(text.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def guess_ip(
    addresses: Mapping[str, str], macs: Mapping[str, str], usbkey: Mapping[str, str], port: int, configured: str = ""
) -> str | None:
    """The ``ip:port`` to report: the configured one, else that of a fifo0 VNIC, else that of the admin NIC.

    ``addresses`` maps address objects ("igb0/_a") to addresses ("10.0.0.11/24"), ``macs`` physical links to MAC
    addresses in any spelling, ``usbkey`` is /usbkey/config. None when nothing fits.
    """
    if configured:
        return configured
    nic = _admin_nic(macs, usbkey)
    usable = _usable(addresses)
    found = [ip for link, ip in usable if link.startswith("fifo0")] or [ip for link, ip in usable if link == nic]
    if not found:
        return None
    return f"[{found[0]}]:{port}" if ":" in found[0] else f"{found[0]}:{port}"


def _admin_nic(macs: Mapping[str, str], usbkey: Mapping[str, str]) -> str | None:
    wanted = usbkey.get("admin_nic", "").strip()
    if not wanted or wanted.startswith("aggr"):
        return wanted or None
    return next((link for link, mac in macs.items() if _mac(mac) == _mac(wanted)), None)


def _mac(text: str) -> tuple[str, ...]:
    """The bytes of a MAC address without leading zeros: sysinfo writes 00:25, dladm writes 0:25."""
    return tuple(byte.lower().lstrip("0") for byte in text.split(":"))


def _usable(addresses: Mapping[str, str]) -> list[tuple[str, str]]:
    """Links and their addresses without prefix lengths, IPv4 first; only what another host could reach."""
    found = []
    for name, text in addresses.items():
        try:
            ip = ipaddress.ip_interface(text.partition("->")[0]).ip
        except ValueError:
            continue  # an interface without a lease has no address, or a question mark
        if not (ip.is_link_local or ip.is_loopback or ip.is_unspecified):
            found.append((name.partition("/")[0], str(ip)))
    return sorted(found, key=lambda pair: ":" in pair[1])


def alias(sysinfo: Mapping[str, object], nodename: str) -> str:
    """The name people call this host by: sysinfo's Hostname, else the node name of uname."""
    named = sysinfo.get("Hostname")
    return named if isinstance(named, str) and named else nodename


class InstanceLock:
    """Held by the one agent of a tree for as long as its process lives; the kernel lets go when it dies."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let another agent start; harmless when done before."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def instance_lock(paths: Paths) -> InstanceLock:
    """Take the lock of a tree and write this process's id into it.

    Raises AlreadyRunning, which names the holder, or IdentityUnusable when the file cannot be made.
    """
    try:
        paths.lock.parent.mkdir(parents=True, exist_ok=True)
        # Python opens files close-on-exec, so that no tool inherits the lock and outlives the agent with it.
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as broken:
        raise IdentityUnusable(f"{paths.lock} cannot be made ({broken.strerror}); make its folder writable") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
        os.close(descriptor)
        process = f"process {holder}" if holder.isdigit() else "a process that has not said its id yet"
        raise AlreadyRunning(
            f"another agent runs on {paths.root}: {process} holds {paths.lock}; stop it first, or use another --root"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return InstanceLock(descriptor)
