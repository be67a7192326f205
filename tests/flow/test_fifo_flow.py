"""FiFo's forms by command: machines made from package, dataset and config, and changed the same way."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from worlds import BASE_IMAGE, Ears, Host, new_uuid, payload

UBUNTU = "63d6e664-3f1f-11e8-aef6-a3120cf8dd9d"
CENTOS = "462d1d03-8457-e134-a408-cf9ea2b9be96"
CONTAINER = "19aa3328-0025-11e7-a19a-c39077bfd4cf"
PACKAGE = {"uuid": "7e4a5a4a-7bb2-4a5b-9e1f-2f4b0c1d2e3f", "ram": 512, "quota": 5, "cpu_cap": 150}
LARGER = {**PACKAGE, "uuid": "11111111-7bb2-4a5b-9e1f-2f4b0c1d2e3f", "ram": 1024, "quota": 8, "cpu_cap": 200}
CONFIG = {"alias": "web0", "hostname": "web0", "nics": [{"nic_tag": "admin", "ips": ["10.0.9.7/24"]}]}
ADDRESSES = count(10)  # each machine has another
SCRIPT = ('#!/bin/sh\necho "a \\"quoted\\" \\\\ line" \'x\' $HOME `id`\n\ttab\r\nλ 🦊 \x7f é\n' * 2000)[: 64 * 1024]
HVM_NIC = {"nics": [{"nic_tag": "admin", "ips": ["10.0.9.8/24"], "model": "virtio"}]}
DATASETS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "joyent": (
        {"type": "zone", "uuid": BASE_IMAGE}, CONFIG, {"max_physical_memory": 512, "quota": 5, "brand": "joyent"},
    ),
    "lx": (
        {"type": "zone", "zone_type": "lx", "uuid": UBUNTU, "kernel_version": "4.3.0"}, CONFIG,
        {"brand": "lx", "kernel_version": "4.3.0"},
    ),
    "kvm": (
        {"type": "kvm", "uuid": CENTOS, "image_size": 10240, "disk_driver": "virtio", "nic_driver": "virtio"},
        {**CONFIG, **HVM_NIC}, {"brand": "kvm", "ram": 512, "max_physical_memory": 1536, "vcpus": 2},
    ),
    "bhyve": (
        {"type": "bhyve", "uuid": CENTOS, "image_size": 10240, "disk_driver": "virtio", "nic_driver": "virtio"},
        {**CONFIG, **HVM_NIC}, {"brand": "bhyve", "ram": 512, "max_physical_memory": 1792, "vcpus": 2},
    ),
}  # fmt: skip


@pytest.fixture
def host(shared: Host) -> Host:
    """One for all."""
    return shared


async def _make(ears: Ears, host: Host, dataset: dict[str, Any], config: dict[str, Any], **more: Any) -> dict[str, Any]:
    nic = {**config["nics"][0], "ips": [f"10.0.9.{next(ADDRESSES)}/24"]}
    params = {"package": PACKAGE, "dataset": dataset, "config": {**config, "nics": [nic]}, **more}
    done = await ears.result(host.send("machine.create", new_uuid(), params=params), 30)
    assert "succeeded" == done["status"], done
    return done["result"]


def _get(host: Host, uuid: str) -> dict[str, Any]:
    return json.loads(host.tool("vmadm", "get", uuid).stdout)


async def test_every_brand_is_made_and_resized(ears: Ears, host: Host) -> None:
    """A package, a dataset and a config become a machine of each brand; a larger package makes it larger."""
    for brand, (dataset, config, wanted) in DATASETS.items():
        made = await _make(ears, host, dataset, config)
        machine = _get(host, made["uuid"])
        assert wanted == {key: machine[key] for key in wanted}, brand
        kept = brand != "bhyve"  # vmadm drops a bhyve VM's package without a word
        assert (PACKAGE["uuid"] if kept else None) == made["config"].get("package")
        if brand in ("kvm", "bhyve"):
            await ears.result(host.send("machine.stop", made["uuid"], params={"force": True}))
        changed = await ears.result(
            host.send("machine.update", made["uuid"], params={"package": LARGER, "config": {"alias": f"big-{brand}"}})
        )
        assert "succeeded" == changed["status"], (brand, changed)
        assert (f"big-{brand}", LARGER["uuid"] if kept else None) == (
            changed["result"]["config"]["alias"], changed["result"]["config"].get("package"),
        )  # fmt: skip
        after = _get(host, made["uuid"])
        assert wanted.get("max_physical_memory", 512) + 512 == after["max_physical_memory"], brand


async def test_what_is_going_to_be_is_told(ears: Ears, host: Host) -> None:
    """The configuration with package and hypervisor is published before the machine is there."""
    made = await _make(ears, host, DATASETS["joyent"][0], CONFIG)
    told = await ears.until(lambda e: e["type"] == "chunter.zone.update" and e["subject"] == made["uuid"])

    assert (host.id, PACKAGE["uuid"]) == (told["data"]["data"]["hypervisor"], told["data"]["data"]["package"])
    assert ("web0", 512) == (told["data"]["data"]["config"]["alias"], told["data"]["data"]["config"]["ram"])
    await ears.when(lambda: len(ears.of("chunter.zone.state", made["uuid"])) > 1)
    states = ears.of("chunter.zone.state", made["uuid"])
    assert int(states[0]["sequence"]) < int(told["sequence"]) < int(states[1]["sequence"])


async def test_a_container_takes_its_command_from_its_image(ears: Ears, host: Host) -> None:
    """The image is imported first, then its own command is what the container runs; it is not booted by itself."""
    host.tool("imgadm", "delete", CONTAINER)  # which an earlier attempt may have imported
    dataset = {"type": "zone", "zone_type": "docker", "uuid": CONTAINER, "kernel_version": "4.3.0"}
    params = {"package": PACKAGE, "dataset": dataset, "config": CONFIG, "dry_run": True}
    planned = (await ears.result(host.send("machine.create", new_uuid(), params=params)))["result"]
    assert "docker:cmd" not in planned["payload"]["internal_metadata"]
    assert "import" in planned["argv"][0]
    assert "succeeded" == (await ears.result(host.send("image.import", params={"image": CONTAINER})))["status"]
    planned = (await ears.result(host.send("machine.create", new_uuid(), params=params)))["result"]
    assert '["nginx","-g","daemon off;"]' == planned["payload"]["internal_metadata"]["docker:cmd"]
    assert planned["payload"]["autoboot"] is False


async def test_a_docker_name_is_a_dataset(ears: Ears, host: Host) -> None:
    """Its image is imported first; the container has that image, what it says, and the original's kernel version."""
    host.tool("imgadm", "sources", "--add-docker-hub")
    params = {"package": PACKAGE, "dataset": {"docker": "redis:7"}, "config": CONFIG}
    planned = (await ears.result(host.send("machine.create", new_uuid(), params={**params, "dry_run": True})))["result"]
    assert ("redis:7", None) == (planned["found"]["image"], planned["found"]["image_present"])
    assert ["imgadm", "vmadm"] == [argv[0].rpartition("/")[2] for argv in planned["argv"]]
    made = await _make(ears, host, {"docker": "redis:7"}, CONFIG)
    machine = _get(host, made["uuid"])
    image = json.loads(host.tool("imgadm", "get", machine["image_uuid"]).stdout)["manifest"]
    assert {"docker:repo": "redis", "docker:tag:7": True}.items() <= image["tags"].items()
    assert ("lx", True, "3.13.0") == (machine["brand"], machine["docker"], machine["kernel_version"])
    said = {key: machine["internal_metadata"].get(f"docker:{key}") for key in ("entrypoint", "cmd", "workdir", "env")}
    assert {
        "entrypoint": '["docker-entrypoint.sh"]',
        "cmd": '["redis-server"]',
        "workdir": "/data",
        "env": None,
    } == said
    await ears.when(lambda: len(ears.of("chunter.zone.state", made["uuid"])) > 1)
    states = [event["data"]["data"] for event in ears.of("chunter.zone.state", made["uuid"])]
    assert ["installing_dataset", "creating"] == states[:2]
    told = await ears.until(lambda e: e["type"] == "chunter.zone.update" and e["subject"] == made["uuid"])
    assert machine["image_uuid"] == told["data"]["data"]["config"]["dataset"]


async def test_a_docker_image_that_cannot_be_had_leaves_nothing(ears: Ears, host: Host) -> None:
    """The create fails as imgadm says, before anything of the machine is there; its place is free at once."""
    uuid, params = new_uuid(), {"package": PACKAGE, "dataset": {"docker": "redis:99"}, "config": CONFIG}
    host.tool("imgadm", "sources", "--add-docker-hub")
    before = await ears.result(host.send("host.info"))
    done = await ears.result(host.send("machine.create", uuid, params=params))
    after = await ears.result(host.send("host.info"))

    assert "not_found" == done["error"]["code"]
    assert before["result"]["resources"] == after["result"]["resources"]
    assert [] == [name for name in host.tool("zfs", "list", "-H", "-o", "name").stdout.split() if uuid in name]


async def test_faults_have_their_places(ears: Ears, host: Host) -> None:
    """What is missing or wrong in any of the forms is named with its path, all at once; so is a mixture of forms."""
    params: dict[str, Any] = {
        "package": {"uuid": "p", "ram": "much"},
        "dataset": {"type": "zone"},
        "config": {"nics": 1},
    }
    done = await ears.result(host.send("machine.create", params={**params, "start": "yes"}))
    assert ("rejected", "invalid_message") == (done["status"], done["error"]["code"])
    paths = {fault["path"] for fault in done["error"]["details"]["faults"]}
    wanted = {"package.ram", "package.quota", "package.cpu_cap", "dataset.uuid", "config.nics", "start"}
    assert {f"$.params.{path}" for path in wanted} == paths
    mixed = await ears.result(host.send("machine.create", params={"payload": payload(), "package": PACKAGE}))
    assert [{"path": "$.params.package", "message": "must not stand beside payload"}] == (
        mixed["error"]["details"]["faults"]
    )
    half = await ears.result(host.send("machine.create", params={"package": PACKAGE}))
    assert {"$.params.dataset", "$.params.config"} == {one["path"] for one in half["error"]["details"]["faults"]}
    none = await ears.result(host.send("machine.create", params={"start": True}))
    assert ["$.params.payload"] == [one["path"] for one in none["error"]["details"]["faults"]]
    named = {"package": PACKAGE, "dataset": {"docker": "-q", "type": "zone"}, "config": CONFIG}
    done = await ears.result(host.send("machine.create", params=named))
    assert {"$.params.dataset.docker", "$.params.dataset.type"} == {
        one["path"] for one in done["error"]["details"]["faults"]
    }
    alone = await ears.result(host.send("machine.update", new_uuid(), params={"package": PACKAGE}))
    assert ["$.params.config"] == [one["path"] for one in alone["error"]["details"]["faults"]]
    unknown = {"package": PACKAGE, "dataset": {"type": "jail9", "uuid": BASE_IMAGE}, "config": CONFIG}
    assert "unsupported" == (await ears.result(host.send("machine.create", params=unknown)))["error"]["code"]


async def test_metadata_arrives_byte_for_byte(ears: Ears, host: Host) -> None:
    """Quotes, backslashes, line ends, emoji and a user script of 64 KiB are what the platform has afterwards."""
    assert 64 * 1024 == len(SCRIPT)
    metadata = {"user-script": SCRIPT, 'k"ey\\ 🦊': "\\n \"'\n\\\\ \u2028", "empty": ""}
    made = await _make(ears, host, DATASETS["joyent"][0], {**CONFIG, "metadata": metadata, "ssh_keys": "ssh-rsa A\n"})
    stored = _get(host, made["uuid"])["customer_metadata"]
    assert {**metadata, "root_authorized_keys": "ssh-rsa A\n"} == stored
    file = host.platform / "zones" / made["uuid"] / "config" / "metadata.json"
    assert SCRIPT == json.loads(file.read_bytes())["customer_metadata"]["user-script"]
    other = {"user-script": SCRIPT[::-1], "more": "λ\t"}
    done = await ears.result(host.send("machine.update", made["uuid"], params={"config": {"metadata": other}}))
    assert "succeeded" == done["status"], done
    assert {**stored, **other} == _get(host, made["uuid"])["customer_metadata"]
    gone = {"payload": {"remove_customer_metadata": ["more", "empty"]}}
    assert "succeeded" == (await ears.result(host.send("machine.update", made["uuid"], params=gone)))["status"]
    assert not {"more", "empty"} & set(_get(host, made["uuid"])["customer_metadata"])


@pytest.mark.parametrize("verb", ["update_nics", "remove_nics"])
async def test_a_nic_that_is_not_there_is_not_changed(ears: Ears, host: Host, verb: str) -> None:
    """The platform would wait for ever or abort; it is not even started."""
    uuid, mac = host.machine(), "92:b8:d0:ff:ff:ff"
    listed: list[Any] = [mac] if verb == "remove_nics" else [{"mac": mac, "ip": "10.0.0.9"}]
    done = await ears.result(host.send("machine.update", uuid, params={"payload": {verb: listed}}))

    assert "not_found" == done["error"]["code"]
    assert [f"$.params.payload.{verb}[0]"] == [one["path"] for one in done["error"]["details"]["faults"]]
    assert [] == [argv for argv in host.invocations("vmadm") if "update" in argv and uuid in argv]


async def test_start_says_whether_it_boots(ears: Ears, host: Host) -> None:
    """With ``start`` false it stays stopped, yet boots with the host; with true it runs whatever autoboot says."""
    made = await _make(ears, host, DATASETS["joyent"][0], CONFIG, start=False)
    assert ("stopped", True) == (made["state"], made["config"]["autoboot"])
    params = {"payload": payload(autoboot=False), "start": True}
    done = await ears.result(host.send("machine.create", params=params))
    assert "running" == done["result"]["state"]


async def test_data_without_a_machine_is_not_touched(ears: Ears, host: Host) -> None:
    """A create whose uuid names a dataset that is there is refused, and the dataset stays."""
    uuid = new_uuid()
    host.tool("zfs", "create", f"zones/{uuid}")
    before = host.invocations("vmadm")
    done = await ears.result(host.send("machine.create", uuid, params={"payload": payload()}))

    assert "already_exists" == done["error"]["code"]
    assert f"zones/{uuid}" in host.tool("zfs", "list", "-H", "-o", "name").stdout.split()
    assert [] == [argv for argv in host.invocations("vmadm")[len(before) :] if "create" in argv]
