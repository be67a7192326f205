"""Tiny real executables in a platform root made for one test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def shell_tool(root: Path, name: str, body: str) -> tuple[str, ...]:
    """A shell script as usr/sbin/NAME; returns the argument vector that runs it."""
    return _tool(root, name, f"#!/bin/sh\n{body}\n")


def python_tool(root: Path, name: str, body: str) -> tuple[str, ...]:
    """A Python script as usr/sbin/NAME; returns the argument vector that runs it."""
    return _tool(root, name, f"#!{sys.executable} -SE\n{body}\n")


def _tool(root: Path, name: str, text: str) -> tuple[str, ...]:
    path = root / "usr" / "sbin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return (f"usr/sbin/{name}",)


def group_leader(*argv: str) -> subprocess.Popen[bytes]:
    """A process of the test's own that leads a group; whoever asked for it kills and reaps it."""
    return subprocess.Popen(argv, start_new_session=True)


def has_children() -> bool:
    """Whether this process has any child, be it a zombie."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True
