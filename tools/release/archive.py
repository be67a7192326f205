"""One version as one file: a shell script that unpacks the tar archive behind it, compressed.

The same sources give the same bytes, whoever builds, whenever: members are sorted, owned by root, dated by
``SOURCE_DATE_EPOCH`` and have one of two modes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from dataclasses import dataclass

from chunter_nsq.release.versions import channel_of
from tools.release.vendor import REPOSITORY, Members, library

SMF = REPOSITORY / "smf"
SHARED = ("chunter.xml", "chunter-update.xml")
SCRIPTS = ("chunter-method",)
LAUNCHER = "bin/chunter"
LINKS = {"bin/update": "chunter"}
_EXECUTABLE = frozenset({LAUNCHER, "share/chunter-method", "share/install.sh"})
_BLOCK_BYTES = 4096
_MARGIN_KB = 8 * 1024  # for what the agent writes while it starts


@dataclass(frozen=True, slots=True)
class Release:
    """A version that is built: its name, its channel and its compressed file."""

    version: str
    channel: str
    content: bytes

    @property
    def name(self) -> str:
        """The file's name."""
        return f"chunter-{self.version}.gz"


def members(version: str, key: bytes) -> Members:
    """All files of a version; ``key`` is the public key (PEM) that newer versions are checked with."""
    found = {f"lib/{name}": content for name, content in library().items()}
    init = "lib/chunter_nsq/__init__.py"
    found[init] = re.sub(rb'__version__ = "[^"]*"', f'__version__ = "{version}"'.encode(), found[init])
    found[LAUNCHER] = (SMF / "launcher.py").read_bytes()
    for name in (*SHARED, *SCRIPTS):
        found[f"share/{name}"] = (SMF / name).read_bytes()
    found["share/release.pub"] = key
    found["share/release.json"] = json.dumps({"version": version, "channel": channel_of(version)}).encode() + b"\n"
    return found


def build(version: str, found: Members, epoch: int, level: int = 9) -> Release:
    """The file of a version; ``epoch`` is when everything in it was made, in seconds since 1970."""
    header = (SMF / "install.sh").read_bytes()
    needs_kb = sum(-(-len(content) // _BLOCK_BYTES) * _BLOCK_BYTES for content in found.values()) // 1024 + _MARGIN_KB
    told = {"version": version, "channel": channel_of(version), "needs_kb": str(needs_kb)}
    found = {**found, "share/install.sh": _filled(header, told)}
    payload = _tar(found, epoch)
    told |= {"payload_bytes": str(len(payload)), "payload_sha256": hashlib.sha256(payload).hexdigest()}
    content = gzip.compress(_filled(header, told) + payload, level, mtime=0)
    return Release(version, channel_of(version), content)


def _filled(header: bytes, told: dict[str, str]) -> bytes:
    """The script with its first assignments filled in."""
    for name, value in told.items():
        header, count = re.subn(
            rf"^{name}=.*$".encode(), f"{name}={value}".encode(), header, count=1, flags=re.MULTILINE
        )
        if not count:
            raise ValueError(f"install.sh has no line {name}=")
    return header


def _tar(found: Members, epoch: int) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted({*found, *LINKS}):
            one = tarfile.TarInfo(name)
            one.mtime, one.uid, one.gid, one.uname, one.gname = epoch, 0, 0, "root", "root"
            if name in LINKS:
                one.type, one.linkname, one.mode = tarfile.SYMTYPE, LINKS[name], 0o777
                tar.addfile(one)
            else:
                one.size, one.mode = len(found[name]), 0o755 if name in _EXECUTABLE else 0o644
                tar.addfile(one, io.BytesIO(found[name]))
    return target.getvalue()
