"""``make dist``: a channel's folder with the release of this tree in it, ready to be served as ``<update.url>/rel``.

chunter-VERSION.gz          the release: gunzip it, then sh it
chunter-VERSION.gz.sha256   its hash, as sha256sum writes it
chunter-VERSION.gz.sig      its signature
chunter-latest.gz           the newest one again
chunter.version             the newest version's name
index, index.sig            all releases in the folder with their hashes; what bin/update reads, and its signature
chunter.pub                 the key to check signatures with
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from chunter_nsq import __version__
from chunter_nsq.release.versions import channel_of, rank
from tools.release import signing
from tools.release.archive import Release, build, members
from tools.release.vendor import REPOSITORY


def main() -> None:
    """Build, sign, and write the index."""
    arguments = argparse.ArgumentParser(prog="python -m tools.release", description="Build the release of this tree.")
    arguments.add_argument("--out", type=Path, default=REPOSITORY / "dist", help="the folder of the channel [dist]")
    arguments.add_argument("--version", default=__version__, help="the version to call it [that of the tree]")
    arguments.add_argument("--key", type=Path, help="the private key (PEM); made when it is not there")
    told = arguments.parse_args()
    key = told.key or REPOSITORY / ".tools" / "release.key"
    if not key.exists():
        signing.new_key(key)
        print(f"A new key was made: {key}\nHosts that install this release take updates that it signed, and no others.")
    if told.key is None:
        print(
            "Signed with the key of this checkout, which make clean removes. For others to install: make dist KEY=FILE"
        )
    release = build(told.version, members(told.version, signing.public(key)), epoch())
    publish(told.out, release, key)
    print(f"{told.out / release.name}: {len(release.content) / 2**20:.1f} MiB, channel {release.channel}")


def epoch() -> int:
    """SOURCE_DATE_EPOCH, else the moment of the newest commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    argv = ["git", "-C", str(REPOSITORY), "log", "-1", "--format=%ct"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else 0


def publish(folder: Path, release: Release, key: Path) -> None:
    """Put a release into a channel's folder, and tell of it in the index."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / release.name, release.content)
    digest = hashlib.sha256(release.content).hexdigest()
    _write(folder / f"{release.name}.sha256", f"{digest}  {release.name}\n".encode())
    _write(folder / f"{release.name}.sig", signing.sign(key, release.content))
    _write(folder / "chunter.pub", signing.public(key))
    listed = [entry(file) for file in folder.glob("chunter-*.gz") if file.name != "chunter-latest.gz"]
    listed = sorted((one for one in listed if channel_of(one["version"]) == release.channel), key=_rank)
    newest = listed[-1]
    _write(folder / "chunter-latest.gz", (folder / newest["file"]).read_bytes())
    _write(folder / "chunter.version", f"{newest['version']}\n".encode())
    index = json.dumps({"format": 1, "channel": release.channel, "releases": listed}, indent=1).encode() + b"\n"
    _write(folder / "index", index)
    _write(folder / "index.sig", signing.sign(key, index))


def entry(file: Path) -> dict[str, Any]:
    """What the index says of a release."""
    found = re.fullmatch(r"chunter-(.+)\.gz", file.name)
    content = file.read_bytes()
    version = found[1] if found else ""
    return {"version": version, "file": file.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _rank(one: dict[str, Any]) -> tuple[int, ...]:
    return rank(one["version"])


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all, for somebody may be fetching it."""
    draft = file.with_name(f".{file.name}.new")
    draft.write_bytes(content)
    draft.replace(file)


if __name__ == "__main__":
    main()
