from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SMF = Path(__file__).parents[2] / "smf"
LAUNCHER = "from chunter_nsq.cli.config import config; import sys; sys.argv.pop(1); config()"


class Host:
    """An unpacked tree, and a platform whose service programs note how they were called."""

    def __init__(self, folder):
        self.root = folder / "opt" / "chunter"
        self.platform = folder / "platform"
        self.calls = folder / "calls"
        self.calls.write_text("")
        self.manifest = self.platform / "opt" / "custom" / "smf" / "chunter.xml"
        self.program(self.root / "bin" / "chunter", f"exec {sys.executable} -c '{LAUNCHER}' \"$@\"")
        for name in ("usr/sbin/svccfg", "usr/sbin/svcadm", "usr/bin/svcs"):
            self.program(self.platform / name, f'echo "{Path(name).name} $*" >> {self.calls}')

    @staticmethod
    def program(file, line):
        """Write a program of one shell line."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)

    def install(self, *options):
        """Run install.sh."""
        command = ["sh", SMF / "install.sh", *options, self.root, self.platform]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def files(self):
        """Everything in the tree and in the folder of manifests."""
        return sorted(
            str(file.relative_to(folder)) for folder in (self.root, self.manifest.parent) for file in folder.rglob("*")
        )


@pytest.fixture
def host(tmp_path):
    """A host on which nothing is installed yet."""
    return Host(tmp_path)


def test_an_installation_makes_the_tree_and_imports_the_service(host):
    """Configuration, its newest example, the method, and the manifest that every boot imports."""
    done = host.install()

    assert (0, f"svccfg import {host.manifest}\n") == (done.returncode, host.calls.read_text()), done.stderr
    assert [
        "bin",
        "bin/chunter",
        "chunter.xml",
        "etc",
        "etc/chunter.conf",
        "etc/chunter.conf.example",
        "share",
        "share/chunter-method",
        "share/chunter.xml",
        "share/install.sh",
        "var",
        "var/run",
    ] == host.files()


def test_the_imported_manifest_names_the_tree(host):
    """Another root is another root in every method."""
    host.install()
    text = host.manifest.read_text()

    assert (True, False) == (f'exec="{host.root}/bin/chunter run"' in text, '"/opt/chunter' in text)


def test_a_configuration_is_never_overwritten(host):
    """An update keeps it, checks it and says how to compare."""
    host.install()
    (host.root / "etc" / "chunter.conf").write_text("lane.query = 17\n")

    done = host.install()

    assert (0, "lane.query = 17\n", True, True) == (
        done.returncode,
        (host.root / "etc" / "chunter.conf").read_text(),
        "chunter.conf is kept; compare it with: diff" in done.stdout,
        "chunter.conf: no faults" in done.stdout,
    )


def test_a_configuration_with_faults_stops_the_installation(host):
    """The faults are shown before the service is touched."""
    (host.root / "etc").mkdir(parents=True)
    (host.root / "etc" / "chunter.conf").write_text("nope = 1\n")

    done = host.install()

    assert (1, True, "") == (done.returncode, "nope: unknown key" in done.stdout, host.calls.read_text())


def test_a_new_configuration_is_not_for_everyone(host):
    """It may hold secrets."""
    host.install()

    assert 0o600 == (host.root / "etc" / "chunter.conf").stat().st_mode & 0o777


def test_a_dry_run_touches_nothing(host):
    """With -n the steps are only printed."""
    done = host.install("-n")

    assert (0, ["bin", "bin/chunter"], "", True) == (
        done.returncode,
        host.files(),
        host.calls.read_text(),
        "svccfg import" in done.stdout,
    )


def test_uninstalling_keeps_identity_and_configuration(host):
    """The service and its manifest go, etc and var stay."""
    host.install()
    host.calls.write_text("")

    done = host.install("-u")

    assert (0, False, True, ["svcs -H", "svcadm disable", "svccfg delete"]) == (
        done.returncode,
        host.manifest.exists(),
        (host.root / "etc" / "chunter.conf").exists(),
        [" ".join(line.split()[:2]) for line in host.calls.read_text().splitlines()],
    )


def test_a_tree_without_the_program_is_refused(host):
    """What is missing is named."""
    (host.root / "bin" / "chunter").unlink()

    done = host.install()

    assert (1, True, "") == (done.returncode, "bin/chunter is missing" in done.stderr, host.calls.read_text())
