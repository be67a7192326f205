"""The bed of `make test-openzfs`: where its packages come from, and how its end is judged. It boots elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.openzfs import debian, machine

STANZAS = """\
Types: deb
# a comment
URIs: http://packages.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://other.example/tools
Suites: tools-bookworm
Components: main
"""
LINES = """\
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/keys/one.gpg] http://lines.example/security bookworm-security main  # with a remark
deb-src http://lines.example/debian bookworm main
deb http://lines.example/debian trixie main
"""


def test_sources_of_both_forms_get_the_component(tmp_path: Path) -> None:
    """What this machine has of the release, and nothing else, with contrib and the keys that it names."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(STANZAS)
    (tmp_path / "sources.list.d" / "off.sources.disabled").write_text(STANZAS)
    (tmp_path / "sources.list").write_text(LINES)

    expected = """\
Types: deb
URIs: http://lines.example/security
Suites: bookworm-security
Components: main contrib
Signed-By: /keys/one.gpg

Types: deb
URIs: http://packages.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg
"""
    assert expected == debian.sources("bookworm", tmp_path)


def test_no_source_of_the_release_is_said(tmp_path: Path) -> None:
    """A machine of another release is told apart before anything is downloaded."""
    (tmp_path / "sources.list").write_text(LINES)
    with pytest.raises(debian.Unobtainable, match="no source of the release sid"):
        debian.sources("sid", tmp_path)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("5 passed\\r\\n\\x1estatus 0\\r\\n", 0),
        ("1 failed\\r\\n\\x1estatus 1\\r\\n", 1),
        ("5 passed\\r\\n", machine.DIED),
        ("a test prints status 0\\r\\n", machine.DIED),
    ],
)
def test_only_the_marked_line_is_the_status(tmp_path: Path, said: str, status: int, capfd) -> None:
    """The machine's status is what its last line says; one that ends without it has failed, and shows its console."""
    console = tmp_path / "console"
    console.write_text("Kernel panic")
    argv = [sys.executable, "-c", f"import sys; sys.stdout.buffer.write(b'{said}')"]

    assert status == machine.run(argv, console)
    shown = capfd.readouterr()
    assert "\x1e" not in shown.out
    assert ("Kernel panic" in shown.err) == (status == machine.DIED)
