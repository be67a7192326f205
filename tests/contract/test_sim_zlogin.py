"""zlogin against a simulated host."""

from __future__ import annotations

import os
import select
import subprocess
import time

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


class Seat:
    """A person at a console of a simulated host."""

    def __init__(self, host: Host, *words: str) -> None:
        master, slave = os.openpty()
        self._child = subprocess.Popen([host.tool(words[0]), *words[1:]], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self._end = master
        self.seen = ""

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._end, text.encode())

    def see(self, wanted: str) -> None:
        """Wait until something appears behind what was seen before."""
        deadline = time.monotonic() + 15
        while wanted not in self.seen:
            assert select.select([self._end], [], [], max(0.0, deadline - time.monotonic()))[0], self.seen
            self.seen += os.read(self._end, 4096).decode()
        self.seen = self.seen.partition(wanted)[2]

    def leave(self) -> int:
        """Close the terminal; the exit status."""
        os.close(self._end)
        return self._child.wait(10)

    def status(self) -> int:
        """The exit status of a program that ends by itself."""
        found = self._child.wait(10)
        os.close(self._end)
        return found


def test_the_console_of_a_zone(host: Host) -> None:
    """It asks who is there, echoes what is typed but no password, and shows halts and boots."""
    host.create(hostname="web0")
    seat = Seat(host, "zlogin", "-C", WEB)
    seat.see(f"[Connected to zone '{WEB}' console]\r\n")
    seat.see("web0 console login: ")
    seat.type("root\r")
    seat.see("root\r\nPassword: ")
    seat.type("secret\r")
    seat.see("\r\nLast login")
    seat.see("[root@web0 ~]# ")
    seat.type("echox\x7f a\r")
    seat.see("echox\b \b a\r\na\r\n")
    second = host.run("zlogin", "-C", WEB)
    assert (1, True) == (second.returncode, second.stderr.startswith("Zone is already in use by process ID "))
    host.run("vmadm", "stop", WEB, "-F")
    seat.see("[NOTICE: Zone halted]")
    host.run("vmadm", "start", WEB)
    seat.see("[NOTICE: Zone booting up]")
    seat.see("web0 console login: ")
    seat.type("\r~.")
    seat.see(f"[Connection to zone '{WEB}' console closed]")
    assert 0 == seat.status()


def test_consoles_that_are_not_there(host: Host) -> None:
    """An unknown zone has none; that of a kvm machine is vmadm's, which wants it to run."""
    assert "zlogin: zone 'nobody' unknown\n" == host.run("zlogin", "-C", "nobody").stderr
    disks = [{"image_uuid": CENTOS, "boot": True, "model": "virtio"}]
    host.run("vmadm", "create", stdin={"uuid": NOBODY, "brand": "kvm", "ram": 256, "disks": disks, "autoboot": False})
    assert 'must be "running"' in host.run("vmadm", "console", NOBODY).stderr
    host.run("vmadm", "start", NOBODY)
    seat = Seat(host, "vmadm", "console", NOBODY)
    seat.see("console]")
    seat.type("\x1d")
    assert 0 == seat.status()
    seat = Seat(host, "zlogin", "-C", "-E", NOBODY)
    seat.see("console]")
    seat.type("~.")
    assert 0 == seat.leave()
