"""vmadm start, stop, reboot, delete, update and snapshots against a simulated host."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from simhost import DEBIAN, NOBODY, WEB, Host, wait_for


def said(done) -> tuple[int, str, str]:
    """Status and both streams."""
    return done.returncode, done.stdout, done.stderr


def test_starting_a_running_vm_is_no_failure(host: Host):
    """It reads like a failure and exits 0."""
    host.create()
    text = f"Unable to start VM {WEB}: VM {WEB} is already 'running'\n"
    assert (0, "", text) == said(host.run("vmadm", "start", WEB))


def test_stop_and_start_change_state_and_autoboot(host: Host):
    """Stop clears autoboot, start sets it."""
    host.create()
    assert (0, "", f"Successfully completed stop for VM {WEB}\n") == said(host.run("vmadm", "stop", WEB))
    stopped = host.get()
    assert ("stopped", "installed", False, 0) == tuple(
        stopped[k] for k in ("state", "zone_state", "autoboot", "exit_status")
    )
    assert set() == {"zoneid", "pid", "boot_timestamp"} & set(stopped)
    assert (0, "", f"Successfully started VM {WEB}\n") == said(host.run("vmadm", "start", WEB))
    started = host.get()
    assert ("running", True, False) == (started["state"], started["autoboot"], "exit_status" in started)


def test_stopping_a_stopped_vm_is_no_failure_and_clears_autoboot(host: Host):
    """It exits 0, and autoboot is false afterwards even though nothing was stopped."""
    host.create(autoboot=False)
    host.run("vmadm", "update", WEB, "autoboot=true")
    text = f"VM {WEB} is already not 'running' (currently: stopped)\n"
    assert (0, "", text) == said(host.run("vmadm", "stop", WEB))
    assert host.get()["autoboot"] is False


def test_a_hardware_vm_shows_stopping_while_it_stops(host: Host):
    """The transition and its expiry are visible to others meanwhile."""
    host.create(brand="bhyve", ram=1024, disks=[{"image_uuid": DEBIAN, "boot": True, "model": "virtio"}])
    host.latency(vmadm_stop=1.5)
    process = host.start("vmadm", "stop", WEB)
    vm = wait_for(lambda: host.get() if host.get()["state"] == "stopping" else None)
    process.communicate(timeout=20)
    assert ("stopped", True) == (vm["transition_to"], vm["transition_expire"] > time.time() * 1000)
    assert ("stopped", False) == (host.get()["state"], "transition_to" in host.get())


def test_reboot_gives_a_new_zone_id_and_keeps_the_debug_id(host: Host):
    """Zoneid changes at each boot, zonedid never."""
    host.create()
    before = host.get()
    assert (0, "", f"Successfully completed reboot for VM {WEB}\n") == said(host.run("vmadm", "reboot", WEB))
    after = host.get()
    assert (True, before["zonedid"]) == (after["zoneid"] > before["zoneid"], after["zonedid"])


def test_reboot_of_a_stopped_vm_is_refused(host: Host):
    """The two kinds of reboot refuse in their own words."""
    host.create(autoboot=False)
    assert (1, "", 'Cannot reboot vm from state "stopped", must be "running"\n') == said(
        host.run("vmadm", "reboot", WEB)
    )
    text = 'Cannot reset vm from state "stopped", must be "running".\n'
    assert (1, "", text) == said(host.run("vmadm", "reboot", "-F", WEB))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("get",), f"zoneadm: {NOBODY}: No such zone configured"),
        (("start",), f"Unable to start VM {NOBODY}: bad statusCode: 404"),
        (("stop",), f"VM {NOBODY} not found"),
        (("delete",), f"Failed to delete VM {NOBODY}: VM {NOBODY} not found"),
        (("info",), f"Unable to get VM info for VM {NOBODY}: bad statusCode: 404"),
        (("events",), f"VM {NOBODY} not found"),
    ],
)
def test_an_unknown_uuid_is_told_differently_by_each_verb(host: Host, words, text):
    """Every verb has its own words for a VM that is not there; all exit 1."""
    assert (1, "", text + "\n") == said(host.run("vmadm", *words, NOBODY))


@pytest.mark.parametrize("words", [("stop", "-F"), ("reboot",), ("reboot", "-F"), ("kill",), ("rollback-snapshot",)])
def test_an_unknown_uuid_is_told_by_the_daemon(host: Host, words):
    """Verbs that ask the daemon pass its 404 on."""
    extra = ["s1"] if words[0] == "rollback-snapshot" else []
    done = host.run("vmadm", *words, NOBODY, *extra)
    assert (1, True) == (done.returncode, "bad statusCode: 404" in done.stderr)


def test_a_malformed_uuid_is_a_usage_error(host: Host):
    """What has not the form of a UUID exits 2 and shows the usage."""
    done = host.run("vmadm", "start", "web")
    assert (2, True) == (done.returncode, done.stderr.startswith("Invalid or missing UUID for start\n"))


def test_a_timeout_is_refused_for_a_plain_zone(host: Host):
    """Stop -t is for bhyve, kvm and docker."""
    host.create()
    text = "Timeout option is only supported for bhyve, KVM and docker containers.\n"
    assert (1, "", text) == said(host.run("vmadm", "stop", WEB, "-t", "10"))


def test_delete_leaves_nothing(host: Host):
    """Zone, dataset, files and index line are gone."""
    host.create()
    assert (0, "", f"Successfully deleted VM {WEB}\n") == said(host.run("vmadm", "delete", WEB))
    assert WEB not in host.index()
    assert WEB not in host.out("zfs", "list", "-H", "-o", "name", "-r", "zones")
    assert [] == [path for path in (host.root / "zones").iterdir() if path.name == WEB]


def test_a_guarded_vm_is_not_deleted(host: Host):
    """indestructible_zoneroot holds a snapshot and refuses the delete until it is taken back."""
    host.create()
    host.run("vmadm", "update", WEB, "indestructible_zoneroot=true")
    assert "do_not_destroy" in host.out("zfs", "holds", f"zones/{WEB}@indestructible")
    text = f"Failed to delete VM {WEB}: indestructible_zoneroot is set, cannot delete\n"
    assert (1, "", text) == said(host.run("vmadm", "delete", WEB))
    host.run("vmadm", "update", WEB, "indestructible_zoneroot=false")
    assert 0 == host.run("vmadm", "delete", WEB).returncode


def test_a_vm_is_guarded_from_its_creation_on(host: Host):
    """What is created indestructible is shown so, holds its snapshot and refuses the delete."""
    host.create(indestructible_zoneroot=True)
    assert host.get()["indestructible_zoneroot"] is True
    assert "do_not_destroy" in host.out("zfs", "holds", f"zones/{WEB}@indestructible")
    text = f"Failed to delete VM {WEB}: indestructible_zoneroot is set, cannot delete\n"
    assert (1, "", text) == said(host.run("vmadm", "delete", WEB))


def test_a_vm_whose_volumes_others_use_is_not_deleted(host: Host):
    """They are named; when they are gone it can be deleted."""
    shared = {"type": "lofs", "source": f"/zones/{WEB}/volumes/data", "target": "/data"}
    host.create(filesystems=[shared])
    user = host.create(uuid=str(uuid4()), alias="user", filesystems=[shared])
    text = (
        f'Failed to delete VM {WEB}: Unable to delete VM {WEB} the following VMs are sharing its volumes: ["{user}"]\n'
    )
    assert (1, "", text) == said(host.run("vmadm", "delete", WEB))
    assert 0 == host.run("vmadm", "delete", user).returncode
    assert 0 == host.run("vmadm", "delete", WEB).returncode


def test_update_changes_and_ignores(host: Host):
    """Known properties change, fixed ones are ignored, both exit 0."""
    host.create()
    done = host.run("vmadm", "update", WEB, stdin={"alias": "db", "brand": "lx", "quota": 20, "set_tags": {"a": 1}})
    assert (0, "", f"Successfully updated VM {WEB}\n") == said(done)
    vm = host.get()
    assert ("db", "joyent", 20, {"a": 1}) == (vm["alias"], vm["brand"], vm["quota"], vm["tags"])


def test_snapshots_come_and_go(host: Host):
    """They are zfs snapshots with a prefix, listed newest first."""
    host.create()
    assert (0, "", f"Created snapshot s1 for VM {WEB}\n") == said(host.run("vmadm", "create-snapshot", WEB, "s1"))
    assert f"zones/{WEB}@vmsnap-s1" in host.out("zfs", "list", "-H", "-t", "snapshot", "-o", "name")
    assert ["s1"] == [one["name"] for one in host.get()["snapshots"]]
    text = 'snapshot with name "s1" already exists.\n'
    assert (1, "", text) == said(host.run("vmadm", "create-snapshot", WEB, "s1"))
    assert (0, "", f"Deleted snapshot s1 for VM {WEB}\n") == said(host.run("vmadm", "delete-snapshot", WEB, "s1"))
    text = f'No snapshot named "s1" for {WEB}\n'
    assert (1, "", text) == said(host.run("vmadm", "delete-snapshot", WEB, "s1"))


def test_rollback_boots_a_stopped_vm_and_kills_newer_snapshots(host: Host):
    """The VM runs afterwards whatever it did before."""
    host.create()
    for name in ("s1", "s2"):
        host.run("vmadm", "create-snapshot", WEB, name)
    host.run("vmadm", "stop", WEB)
    assert 0 == host.run("vmadm", "rollback-snapshot", WEB, "s1").returncode
    vm = host.get()
    assert ("running", ["s1"]) == (vm["state"], [one["name"] for one in vm["snapshots"]])


def test_a_second_vmadm_on_the_same_vm_waits(host: Host):
    """Two updates of one VM run one after the other."""
    host.create()
    host.latency(vmadm_delete=1.0)
    first = host.start("vmadm", "delete", WEB)
    wait_for(lambda: "incomplete" in host.index())
    done = host.run("vmadm", "update", WEB, "alias=late")
    first.communicate(timeout=20)
    assert (1, f"VM {WEB} not found\n") == (done.returncode, done.stderr)


@pytest.mark.alone
def test_different_vms_go_in_parallel(busy: Host):
    """Three stops take hardly longer than one."""
    busy.latency(vmadm_stop=1.0)
    uuids = busy.out("vmadm", "lookup").split()
    started = time.monotonic()
    stops = [busy.start("vmadm", "stop", uuid) for uuid in uuids]
    for stop in stops:
        stop.communicate(timeout=20)
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("frob",), 2, 'Invalid command: "frob".'),
        (("start", NOBODY, "colour=blue"), 2, "Invalid argument to start: colour"),
        (("start", NOBODY, "cdrom=/iso"), 2, "Parameter to cdrom must be: path,model"),
        (("start", NOBODY, "order=cd", "order=d"), 2, "You can only specify 'order' once when starting a VM"),
        (("sysrq", NOBODY), 2, 'Wrong number of parameters to "sysrq"'),
        (("sysrq", WEB, "nmi"), 1, 'Unable to send request to vm from state "stopped", must be'),
        (("info", WEB), 1, f"Unable to get VM info for VM {WEB}: Unable to get info for vm from state"),
        (("stop", "-t", "5", WEB), 0, f"VM {WEB} is already not 'running' (currently: stopped)"),
        (("reboot", NOBODY), 1, "bad statusCode: 404"),
        (("create-snapshot", NOBODY, "a b"), 1, "Invalid snapshot name"),
        (("create-snapshot", WEB), 2, 'Wrong number of parameters to "create-snapshot"'),
        (("validate",), 2, "Will not validate without a valid action."),
        (("list", "-s", "-colour"), 1, "invalid sort field: -colour"),
        (("list", "-o", "colour"), 1, "invalid order field: colour"),
        (("list", "-o", "nics.*.ip"), 1, 'Invalid order key: "nics.*.ip"'),
    ],
)
def test_words_are_judged_in_the_order_of_the_platform(host: Host, words: tuple[str, ...], status: int, said: str):
    """Usage before the VM, the VM before its state, its state before its brand."""
    host.create(autoboot=False)
    done = host.run("vmadm", *words)
    assert (status, True) == (done.returncode, done.stderr.startswith(said)), done.stderr


def test_a_timeout_is_refused_where_there_is_none(host: Host):
    """A running OS zone takes none, wherever the seconds stand among the words."""
    host.create()
    for words in (("-t", "5", WEB), (WEB, "-t", "5")):
        done = host.run("vmadm", "stop", *words)
        said = "Timeout option is only supported for bhyve, KVM and docker containers.\n"
        assert (1, said) == (done.returncode, done.stderr)
