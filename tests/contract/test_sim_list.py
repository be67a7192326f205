"""vmadm list, lookup and info against a simulated host."""

from __future__ import annotations

import json

from simhost import WEB, Host


def test_the_table_has_the_platforms_columns(host: Host):
    """Fixed widths, two blanks between, trimmed on the right."""
    host.create()
    expected = (
        "UUID                                  TYPE  RAM      STATE             ALIAS\n"
        f"{WEB}  OS    256      running           web\n"
    )
    assert expected == host.out("vmadm", "list")


def test_parsable_output_leaves_absent_and_false_empty(host: Host):
    """Fields are joined by colons without a header."""
    host.create(autoboot=False)
    assert f"{WEB}:stopped:web::\n" == host.out("vmadm", "list", "-p", "-o", "uuid,state,alias,zoneid,autoboot")


def test_filters_and_orders(busy: Host):
    """key=value, key=~regex and -s work."""
    assert "zone1\n" == busy.out("vmadm", "list", "-H", "-o", "alias", "alias=zone1")
    assert "zone2\nzone1\nzone0\n" == busy.out("vmadm", "list", "-H", "-o", "alias", "-s", "-alias", "alias=~ZONE")


def test_nothing_found_is_no_failure(host: Host):
    """Lookup says nothing and exits 0, -j gives an empty array, -1 insists."""
    assert "" == host.out("vmadm", "lookup", "alias=x")
    assert "[]\n" == host.out("vmadm", "lookup", "-j")
    done = host.run("vmadm", "lookup", "-1", "alias=x")
    assert (1, "Requested unique lookup but found 0 results.\n") == (done.returncode, done.stderr)


def test_lookup_adds_type_and_ram(busy: Host):
    """Objects are those of get with type, and ram for OS zones."""
    first = json.loads(busy.out("vmadm", "lookup", "-j", "alias=zone0"))[0]
    assert ("OS", 256) == (first["type"], first["ram"])
    assert "type" not in json.loads(busy.out("vmadm", "get", first["uuid"]))


def test_lookup_by_address_in_any_nic(busy: Host):
    """A star stands for any element."""
    uuid = busy.out("vmadm", "lookup", "alias=zone1").strip()
    ip = json.loads(busy.out("vmadm", "get", uuid))["nics"][0]["ip"]
    assert uuid + "\n" == busy.out("vmadm", "lookup", f"nics.*.ip={ip}")


def test_unknown_keys_are_refused(host: Host):
    """List and lookup name the key that is none."""
    done = host.run("vmadm", "lookup", "colour=blue")
    assert (1, 'Invalid lookup key: "colour"\n') == (done.returncode, done.stderr)


def test_info_of_a_hardware_vm(host: Host):
    """A running kvm tells where its screen is; an OS zone tells nothing."""
    host.create(brand="kvm", vnc_port=37463)
    expected = {"vnc": {"host": "10.0.0.11", "port": 37463, "display": 31563}}
    assert expected == json.loads(host.out("vmadm", "info", WEB, "vnc"))
    other = host.create(uuid="0e56fe34-39a3-42d5-86c7-d719487f892b")
    done = host.run("vmadm", "info", other)
    assert (1, f"Unable to get VM info for VM {other}: no info types supported for brand joyent\n") == (
        done.returncode,
        done.stderr,
    )


def test_a_hand_edited_document_counts(host: Host):
    """The files are the truth: the next command sees an edit."""
    host.create()
    path = host.root / f"etc/zones/{WEB}.xml"
    path.write_text(path.read_text().replace('value="d2Vi"', 'value="ZGI="'))
    assert "db" == host.get()["alias"]


def test_an_appended_index_line_makes_a_vm(host: Host):
    """Writing the document first and then a line to the index makes a VM known."""
    host.create(autoboot=False)
    other = "0e56fe34-39a3-42d5-86c7-d719487f892b"
    text = (host.root / f"etc/zones/{WEB}.xml").read_text().replace(WEB, other)
    (host.root / f"etc/zones/{other}.xml").write_text(text)
    with (host.root / "etc/zones/index").open("a") as index:
        index.write(f"{other}:installed:/zones/{other}:{other}\n")
    assert "stopped" == host.get(other)["state"]
    assert 0 == host.run("vmadm", "start", other).returncode


def test_help_is_no_failure(host: Host):
    """Help goes to stdout; an unknown verb is a usage error."""
    assert host.out("vmadm", "help").startswith("Usage: vmadm <command>")
    assert 2 == host.run("vmadm", "dance").returncode
