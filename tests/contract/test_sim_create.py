"""vmadm create against a simulated host."""

from __future__ import annotations

import json
import re

from simhost import BASE, CENTOS, DEBIAN, WEB, Host, wait_for


def test_success_is_said_on_stderr_alone(host: Host):
    """A created VM is announced on stderr and stdout stays empty."""
    done = host.run("vmadm", "create", stdin={"uuid": WEB, "brand": "joyent", "image_uuid": BASE})
    assert (0, "", f"Successfully created VM {WEB}\n") == (done.returncode, done.stdout, done.stderr)


def test_uuid_is_made_up_when_absent(host: Host):
    """A payload without a UUID gets one, that stderr tells."""
    done = host.run("vmadm", "create", stdin={"brand": "joyent", "image_uuid": BASE})
    assert re.fullmatch(r"Successfully created VM [0-9a-f-]{36}\n", done.stderr)


def test_defaults_of_an_os_zone(host: Host):
    """What the payload does not say is filled in."""
    vm = host.get(host.create())
    expected = {
        "autoboot": True, "brand": "joyent", "limit_priv": "default", "v": 1, "cpu_shares": 100, "max_lwps": 2000,
        "max_physical_memory": 256, "max_locked_memory": 256, "max_swap": 256, "tmpfs": 256, "max_shm_memory": 256,
        "max_msg_ids": 4096, "zfs_io_priority": 100, "dns_domain": "local", "quota": 10, "state": "running",
        "zone_state": "running", "hvm": False, "nics": [], "resolvers": [], "firewall_enabled": False, "snapshots": [],
        "zfs_filesystem": f"zones/{WEB}", "zpool": "zones", "zonepath": f"/zones/{WEB}", "tags": {}, "routes": {},
        "customer_metadata": {}, "internal_metadata": {}, "zfs_root_recsize": 131072,
    }  # fmt: skip
    assert expected == {key: vm[key] for key in expected}


def test_nothing_of_a_running_os_zone_is_null(host: Host):
    """Keys without a value are absent, never null."""
    vm = host.get(host.create())
    assert [] == [key for key, value in vm.items() if value is None]


def test_memory_of_hardware_vms_has_room_for_the_emulator(host: Host):
    """Bhyve gets 1280 MiB over its ram, kvm 1024."""
    bhyve = host.create(brand="bhyve", ram=1024, image_uuid=None or BASE, disks=[])
    kvm = host.create(uuid="7970c690-1738-4e58-a04f-8ce4ea8ebfca", brand="kvm", ram=1024, vcpus=2)
    assert (2304, 2048) == (host.get(bhyve)["max_physical_memory"], host.get(kvm)["max_physical_memory"])


def test_a_hardware_vm_shows_the_null_device(host: Host):
    """The platform's loader leaves ``device: null`` in VMs with disks."""
    host.create(brand="bhyve", ram=1024, disks=[{"image_uuid": DEBIAN, "boot": True, "model": "virtio"}])
    vm = host.get()
    assert vm["device"] is None
    assert "device" in vm


def test_disks_of_bhyve_are_children_of_the_zone(host: Host):
    """A bhyve disk is zones/<uuid>/disk0, with its reservation a little over its size."""
    host.create(brand="bhyve", ram=1024, disks=[{"image_uuid": DEBIAN, "boot": True, "model": "virtio"}])
    disk = host.get()["disks"][0]
    expected = {
        "path": f"/dev/zvol/rdsk/zones/{WEB}/disk0", "boot": True, "model": "virtio", "media": "disk",
        "image_size": 10240, "image_uuid": DEBIAN, "pci_slot": "0:4:0", "zfs_filesystem": f"zones/{WEB}/disk0",
        "zpool": "zones", "size": 10240, "compression": "off", "refreservation": 10560, "block_size": 8192,
    }  # fmt: skip
    assert expected == {key: disk[key] for key in expected}


def test_disks_of_kvm_are_siblings_of_the_zone(host: Host):
    """A kvm disk is zones/<uuid>-disk0."""
    host.create(brand="kvm", disks=[{"image_uuid": CENTOS, "boot": True, "model": "virtio"}])
    assert f"zones/{WEB}-disk0" == host.get()["disks"][0]["zfs_filesystem"]


def test_a_nic_has_old_and_new_address_forms(host: Host):
    """Ip and ips, gateway and gateways stand beside each other; the first nic is primary."""
    host.create(nics=[{"nic_tag": "admin", "ip": "10.9.9.9", "netmask": "255.255.255.0", "gateway": "10.9.9.1"}])
    nic = host.get()["nics"][0]
    expected = {
        "interface": "net0", "nic_tag": "admin", "gateway": "10.9.9.1", "gateways": ["10.9.9.1"],
        "netmask": "255.255.255.0", "ip": "10.9.9.9", "ips": ["10.9.9.9/24"], "primary": True,
    }  # fmt: skip
    assert expected == {key: nic[key] for key in expected}
    assert re.fullmatch("[0-9a-f]2(:[0-9a-f]{2}){5}", nic["mac"])


def test_unknown_properties_are_dropped_silently(host: Host):
    """A property that vmadm does not know does no harm and leaves no trace."""
    vm = host.get(host.create(colour="blue"))
    assert "colour" not in vm


def test_the_truth_is_in_the_files(host: Host):
    """Index, XML and JSON files hold the VM."""
    host.create(tags={"role": "web"}, customer_metadata={"k": "v"})
    assert f"{WEB}:installed:/zones/{WEB}:{WEB}\n" in host.index()
    assert 'name="alias" type="string" value="d2Vi"' in (host.root / f"etc/zones/{WEB}.xml").read_text()
    assert {"role": "web"} == json.loads((host.root / f"zones/{WEB}/config/tags.json").read_text())


def test_an_image_that_is_not_there_is_refused(host: Host):
    """The image must be installed."""
    done = host.run("vmadm", "create", stdin={"brand": "joyent", "image_uuid": WEB})
    assert (1, "", "Invalid value(s) for: image_uuid\n") == (done.returncode, done.stdout, done.stderr)


def test_a_missing_image_is_named(host: Host):
    """What is required and absent is listed."""
    done = host.run("vmadm", "create", stdin={"brand": "joyent"})
    assert (1, "Missing required properties: image_uuid\n") == (done.returncode, done.stderr)


def test_a_taken_uuid_is_refused(host: Host):
    """A second VM with the same UUID is not made."""
    host.create()
    done = host.run("vmadm", "create", stdin={"uuid": WEB, "brand": "joyent", "image_uuid": BASE})
    assert (1, f"VM with UUID {WEB} already exists") == (done.returncode, done.stderr.strip())


def test_an_unknown_nic_tag_is_refused(host: Host):
    """A nic tag must exist on the host."""
    payload = {"brand": "joyent", "image_uuid": BASE, "nics": [{"nic_tag": "moon", "ip": "dhcp"}]}
    done = host.run("vmadm", "create", stdin=payload)
    assert (1, 'Invalid nic tag "moon"\n') == (done.returncode, done.stderr)


def test_an_address_in_use_is_refused(host: Host):
    """Two VMs cannot have one address on one network."""
    nic = {"nic_tag": "admin", "ip": "10.9.9.9", "netmask": "255.255.255.0"}
    host.create(nics=[nic])
    done = host.run("vmadm", "create", stdin={"brand": "joyent", "image_uuid": BASE, "nics": [nic]})
    assert (1, "Conflict detected with another vm, please check the MAC, IP, and VRID\n") == (
        done.returncode,
        done.stderr,
    )


def test_bad_json_is_refused(host: Host):
    """What is no JSON fails with one line."""
    done = host.run("vmadm", "create", stdin="{nonsense")
    assert (1, True) == (done.returncode, done.stderr.startswith("Invalid JSON payload: "))


def test_provisioning_is_visible_while_it_lasts(host: Host):
    """Other commands see configured, incomplete, installed, and state provisioning with its expiry."""
    host.latency(vmadm_create=8.0)
    process = host.start("vmadm", "create")
    process.stdin.write(json.dumps({"uuid": WEB, "brand": "joyent", "image_uuid": BASE}))
    process.stdin.close()
    seen, states = [], set()
    while process.poll() is None:
        lines = [line for line in host.out("zoneadm", "list", "-cp").splitlines() if WEB in line]
        seen += [line.split(":")[2] for line in lines]
        if lines:
            vm = host.get()
            states.add(vm["state"])
            if vm["state"] == "provisioning":
                assert ("running", True) == (vm["transition_to"], vm["transition_expire"] > 1e12)
    process.stdout.close()
    process.stderr.close()
    way = ["configured", "incomplete", "installed", "ready", "running"]
    assert [state for state in way if state in seen] == list(dict.fromkeys(seen))
    assert {"incomplete", "running"} <= set(seen)
    assert "provisioning" in states
    assert ("running", False) == (host.get()["state"], "transition_to" in host.get())


def test_a_create_killed_half_way_leaves_what_a_host_would(host: Host):
    """After a kill in the middle of the install the zone is incomplete and its dataset is there."""
    host.latency(vmadm_create=20.0)
    process = host.start("vmadm", "create")
    process.stdin.write(json.dumps({"uuid": WEB, "brand": "joyent", "image_uuid": BASE}))
    process.stdin.close()
    wait_for(lambda: f"{WEB}:incomplete:" in host.index())
    wait_for(lambda: host.run("zfs", "list", f"zones/{WEB}").returncode == 0)
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()
    assert f"-:{WEB}:incomplete:" in host.out("zoneadm", "list", "-cp")
    assert "provisioning" == host.get()["state"]
    host.latency()
    assert 0 == host.run("vmadm", "delete", WEB).returncode
    assert 1 == host.run("zfs", "list", f"zones/{WEB}").returncode
