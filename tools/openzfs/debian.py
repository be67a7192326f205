"""Where this machine's packages come from, and the two programs that the bed is made and run with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

PROGRAMS = {"mmdebstrap": "mmdebstrap", "qemu-system-x86_64": "qemu-system-x86", "mke2fs": "e2fsprogs"}
ARCHITECTURE = "x86_64"
_SOURCES = Path("/etc/apt")
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")
_SIGNED_BY = re.compile(r"signed-by=(\S+)", re.IGNORECASE)


class Unobtainable(Exception):
    """Something that the bed needs is not here and cannot be had; the message says what to do."""


def provide(programs: Mapping[str, str]) -> None:
    """Have these programs, each with the package that brings it. Raises Unobtainable."""
    missing = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    if not missing:
        return
    check_may_install(missing)
    print(f"-- system packages: {' '.join(missing)}", flush=True)
    apt("update", "-qq")
    words = ("--no-install-recommends", "--no-remove", "-qq", "-y")
    apt("install", *words, *missing)


def check_may_install(wanted: Iterable[str]) -> None:
    """Raises Unobtainable when packages cannot be installed here."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unobtainable(f"not root, or no apt-get here; what is missing: {' '.join(wanted)}")


def apt(*words: str) -> None:
    """Run apt-get; nothing is asked. Raises Unobtainable."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        raise Unobtainable(f"apt-get {' '.join(words)} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def codename() -> str:
    """The release that this machine is. Raises Unobtainable."""
    release = Path("/etc/os-release")
    told = dict(line.split("=", 1) for line in release.read_text().splitlines() if "=" in line)
    if told.get("ID", "").strip('"') != "debian" or os.uname().machine != ARCHITECTURE:
        raise Unobtainable(f"the bed is made of Debian's packages for {ARCHITECTURE}; this machine is another one")
    return told["VERSION_CODENAME"].strip('"')


def sources(release: str, folder: Path = _SOURCES) -> str:
    """This machine's own sources of a release, with the component that OpenZFS is in. Raises Unobtainable."""
    found = []
    for file in sorted([folder / "sources.list", *(folder / "sources.list.d").glob("*")]):
        if file.suffix == ".sources":
            found += [_stanza(text) for text in re.split(r"\n\s*\n", file.read_text())]
        elif file.suffix == ".list" and file.exists():
            found += [_line(text) for text in file.read_text().splitlines()]
    wanted = [one for one in found if _is_wanted(one, release)]
    if not wanted:
        raise Unobtainable(f"there is no source of the release {release} in {folder}")
    return "\n".join(_written(one) for one in wanted)


def _stanza(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    unfolded = re.sub(r"\n[ \t]+", " ", "\n".join(lines))
    return {
        key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in unfolded.splitlines())
    }


def _line(text: str) -> dict[str, str]:
    match = _ONE_LINE.fullmatch(text.partition("#")[0].strip())
    if match is None:
        return {}
    found = {"types": "deb", "uris": match["uri"], "suites": match["suite"], "components": match["components"]}
    signed = _SIGNED_BY.search(match["options"] or "")
    return found | ({"signed-by": signed[1]} if signed else {})


def _is_wanted(source: Mapping[str, str], release: str) -> bool:
    suites = source.get("suites", "").split()
    is_on = source.get("enabled", "yes") != "no" and "deb" in source.get("types", "").split()
    return is_on and "main" in source.get("components", "").split() and any(one.startswith(release) for one in suites)


def _written(source: Mapping[str, str]) -> str:
    keys = f"Signed-By: {source['signed-by']}\n" if "signed-by" in source else ""
    return f"Types: deb\nURIs: {source['uris']}\nSuites: {source['suites']}\nComponents: main contrib\n{keys}"
