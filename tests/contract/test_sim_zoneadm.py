"""zoneadm against a simulated host."""

from __future__ import annotations

from simhost import NOBODY, WEB, Host


def said(done) -> tuple[int, str]:
    """Status and stderr."""
    return done.returncode, done.stderr


def test_parsable_lines_have_eight_fields(host: Host):
    """The global zone is first; a zone has id, name, state, path, UUID, brand, ip type and debug id."""
    host.create()
    vm = host.get()
    expected = (
        "0:global:running:/::liveimg:shared:0\n"
        f"{vm['zoneid']}:{WEB}:running:/zones/{WEB}:{WEB}:joyent:excl:{vm['zonedid']}\n"
    )
    assert expected == host.out("zoneadm", "list", "-ip")


def test_what_each_listing_holds(host: Host):
    """-p active zones, -ip installed ones as well, -cp all."""
    host.create(autoboot=False)
    assert 1 == len(host.out("zoneadm", "list", "-p").splitlines())
    assert 2 == len(host.out("zoneadm", "list", "-ip").splitlines())
    host.run("zoneadm", "-z", WEB, "mark", "incomplete")
    assert 1 == len(host.out("zoneadm", "list", "-ip").splitlines())
    assert f"-:{WEB}:incomplete:" in host.out("zoneadm", "list", "-cp")


def test_a_colon_in_a_path_is_escaped(host: Host):
    """The index quotes it, the listing escapes it."""
    host.create(autoboot=False)
    text = (host.root / f"etc/zones/{WEB}.xml").read_text().replace(f'name="{WEB}"', 'name="odd"')
    (host.root / "etc/zones/odd.xml").write_text(text)
    with (host.root / "etc/zones/index").open("a") as index:
        index.write('odd:installed:"/zones/a:b":f8c5bd0e-c26c-4ac2-a5a0-7dd1b4ff6b6d\n')
    assert r"-:odd:installed:/zones/a\:b:f8c5bd0e-c26c-4ac2-a5a0-7dd1b4ff6b6d:joyent:excl:" in host.out(
        "zoneadm", "list", "-ip"
    )


def test_one_zone_by_name_or_uuid(host: Host):
    """A zone that is not there exits 1 with the platform's words."""
    host.create()
    assert WEB in host.out("zoneadm", "-u", WEB, "list", "-p")
    assert (1, f"zoneadm: {NOBODY}: No such zone configured\n") == said(host.run("zoneadm", "-z", NOBODY, "list", "-p"))


def test_boot_and_halt_twice_succeed(host: Host):
    """The second time there is only a word on stderr."""
    host.create()
    assert (0, f"zone '{WEB}': zone is already booted\n") == said(host.run("zoneadm", "-u", WEB, "boot", "-X"))
    assert (0, "") == said(host.run("zoneadm", "-u", WEB, "halt", "-X"))
    assert (0, f"zone '{WEB}': zone is already halted\n") == said(host.run("zoneadm", "-u", WEB, "halt", "-X"))
    assert (0, "") == said(host.run("zoneadm", "-u", WEB, "boot", "-X"))


def test_refusals(host: Host):
    """Each has its own text and exits 1, a wrong command line 2."""
    host.create(autoboot=False)
    zone = f"zoneadm: zone '{WEB}': "
    assert (1, zone + "not running\n") == said(host.run("zoneadm", "-z", WEB, "reboot"))
    assert (1, zone + "is already installed.\n") == said(host.run("zoneadm", "-z", WEB, "install"))
    host.run("zoneadm", "-z", WEB, "mark", "incomplete")
    assert (1, zone + "zone is incomplete; uninstall required.\n") == said(host.run("zoneadm", "-z", WEB, "boot"))
    text = "zoneadm: zone 'global': halt operation is invalid for the global zone.\n"
    assert (1, text) == said(host.run("zoneadm", "-z", "global", "halt"))
    assert 2 == host.run("zoneadm", "list", "-pv").returncode
    assert 2 == host.run("zoneadm", "dance").returncode


def test_states_are_visible_on_the_way(host: Host):
    """A halt that takes its time shows shutting_down and down to others."""
    host.create()
    host.latency(zoneadm_halt=2.0)
    process = host.start("zoneadm", "-u", WEB, "halt")
    seen = []
    while process.poll() is None:
        lines = [line for line in host.out("zoneadm", "list", "-cp").splitlines() if WEB in line]
        seen.append(lines[0].split(":")[2])
    process.communicate(timeout=10)
    assert {"shutting_down", "down"} <= set(seen)
