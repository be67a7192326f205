"""zlogin against a simulated host."""

from __future__ import annotations

import pytest
from simhost import CENTOS, NOBODY, WEB, Host


def test_a_program_in_a_zone(host: Host) -> None:
    """Output, errors and exit status are the program's."""
    host.create(hostname="web0")
    done = host.run("zlogin", "-Q", WEB, "echo 'a  b'; echo x >&2; sh -c 'exit 7'")
    assert ("a  b\n", "x\n", 7) == (done.stdout, done.stderr, done.returncode)
    assert "web0\n" == host.out("zlogin", "-Q", WEB, "hostname")
    assert "in\n" == host.out("zlogin", "-Q", WEB, "cat", stdin="in\n")
    assert "" == host.out("zlogin", "-Q", "-n", WEB, "cat", stdin="in\n")
    (host.root / "zones" / WEB / "root" / "motd").write_text("hello\n")
    assert "hello\n" == host.out("zlogin", "-Q", WEB, "ls /nowhere || cat /motd")


@pytest.mark.parametrize("command", ["touch /tmp/x", "/bin/sh -x", "python3 -c 1", "$(touch /tmp/x)"])
def test_nothing_else_runs(host: Host, command: str) -> None:
    """A command that the simulated zone does not have is not looked for on this machine."""
    host.create()
    done = host.run("zlogin", "-Q", WEB, command)
    assert 127 == done.returncode
    assert "" == done.stdout


def test_files_are_those_of_the_zone(host: Host) -> None:
    """No path leads out of the zone's root, not even a link."""
    host.create()
    (host.root / "zones" / WEB / "root" / "out").symlink_to("/etc/passwd")
    for path in ("/etc/passwd", "../../../../../../etc/passwd", "/out"):
        done = host.run("zlogin", "-Q", WEB, f"cat {path}")
        assert (2, f"cat: cannot open {path}: No such file or directory\n") == (done.returncode, done.stderr)


def test_zones_that_cannot_be_entered(host: Host) -> None:
    """Each refusal has the words of the real tool."""
    disks = [{"image_uuid": CENTOS, "boot": True, "model": "virtio"}]
    host.out("vmadm", "create", stdin={"uuid": WEB, "brand": "kvm", "disks": disks})
    said = {
        NOBODY: f"zlogin: zone '{NOBODY}' unknown\n",
        "global": "zlogin: 'zlogin' not applicable to the global zone\n",
        WEB: "zlogin: unable to find 'su' command\n",
    }
    for name, text in said.items():
        done = host.run("zlogin", "-Q", name, "true")
        assert (1, text) == (done.returncode, done.stderr)
    host.out("vmadm", "stop", WEB, "-F")
    stopped = f"zlogin: login allowed only to running zones ({WEB} is 'installed').\n"
    assert stopped == host.run("zlogin", "-Q", WEB, "true").stderr
    assert 2 == host.run("zlogin").returncode
