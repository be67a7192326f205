"""The images that a new host has installed, and those that its source has beside them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOURCE = "https://images.smartos.org"
NOBODY = "00000000-0000-0000-0000-000000000000"
IMAGES: list[dict[str, Any]] = [
    {
        "uuid": "e44ed3e0-910b-11ed-a5d4-00151714048c", "name": "base-64-lts", "version": "22.4.0",
        "type": "zone-dataset", "os": "smartos", "published_at": "2023-01-10T17:21:04Z",
        "description": "A 64-bit SmartOS image with just essential packages installed.", "refer": 876728320,
        "requirements": {
            "networks": [{"name": "net0", "description": "public"}], "min_platform": {"7.0": "20210826T002459Z"},
        },
    },
    {
        "uuid": "63d6e664-3f1f-11e8-aef6-a3120cf8dd9d", "name": "ubuntu-16.04", "version": "20180404",
        "type": "lx-dataset", "os": "linux", "published_at": "2018-04-13T15:29:25Z",
        "description": "Container-native Ubuntu 16.04 64-bit image.", "refer": 498073600,
        "requirements": {"networks": [{"name": "net0", "description": "public"}], "brand": "lx"},
        "tags": {"kernel_version": "4.3.0", "role": "os"},
    },
    {
        "uuid": "462d1d03-8457-e134-a408-cf9ea2b9be96", "name": "centos-7", "version": "20190619",
        "type": "zvol", "os": "linux", "published_at": "2019-06-19T04:00:00Z", "image_size": 10240,
        "description": "CentOS 7 for hardware virtual machines.", "refer": 1533198336,
        "requirements": {"networks": [{"name": "net0", "description": "public"}]}, "disk_driver": "virtio",
        "nic_driver": "virtio", "cpu_type": "host",
    },
    {
        "uuid": "cf6b54f9-2952-4213-ba84-b6f64a7ec229", "name": "debian-10", "version": "20200508",
        "type": "zvol", "os": "linux", "published_at": "2020-05-08T09:11:00Z", "image_size": 10240,
        "description": "Debian 10 for hardware virtual machines.", "refer": 1228931072,
        "requirements": {"networks": [{"name": "net0", "description": "public"}]}, "disk_driver": "virtio",
        "nic_driver": "virtio", "cpu_type": "host",
    },
]  # fmt: skip

# Not installed: an import brings them. A host's own var/simulator/sources.json may name more, in the same form.
AVAILABLE: list[dict[str, Any]] = [
    {
        "uuid": "85d0f826-0131-11ed-973d-2bfeef68011f", "name": "minimal-64-lts", "version": "21.4.1",
        "type": "zone-dataset", "os": "smartos", "published_at": "2022-07-11T13:22:08Z",
        "description": "A 64-bit SmartOS image with nothing but pkgin.", "refer": 429916160,
        "requirements": {"networks": [{"name": "net0", "description": "public"}]},
    },
    {
        "uuid": "8adac45a-f5d7-11ed-bd3c-00151714048c", "name": "base-64", "version": "23.1.0",
        "type": "zone-dataset", "os": "smartos", "published_at": "2023-05-18T20:02:41Z",
        "description": "A 64-bit SmartOS image with just essential packages installed.", "refer": 958922752,
        "requirements": {"networks": [{"name": "net0", "description": "public"}]},
    },
    {
        "uuid": "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b", "name": "alpine-3", "version": "20170403",
        "type": "lx-dataset", "os": "linux", "published_at": "2017-04-03T19:53:41Z",
        "description": "Container-native Alpine Linux 3 64-bit image.", "refer": 42008576,
        "requirements": {"networks": [{"name": "net0", "description": "public"}], "brand": "lx"},
        "tags": {"kernel_version": "3.13.0", "role": "os"},
    },
    {
        "uuid": "19aa3328-0025-11e7-a19a-c39077bfd4cf", "name": "docker-layer", "version": "62aa3328",
        "type": "docker", "os": "linux", "published_at": "2017-03-03T15:29:12Z",
        "description": "A web server in a container.", "refer": 19660800, "requirements": {"brand": "lx"},
        "tags": {"docker:config": {"Cmd": ["nginx", "-g", "daemon off;"], "Env": ["PATH=/usr/sbin:/usr/bin"]}},
    },
    {
        "uuid": "9aa48095-da9d-41ca-a094-31d1fb476b98", "name": "debian-11", "version": "20211015",
        "type": "zvol", "os": "linux", "published_at": "2021-10-15T19:48:05Z", "image_size": 10240,
        "description": "Debian 11 for hardware virtual machines.", "refer": 1187250176,
        "requirements": {"networks": [{"name": "net0", "description": "public"}]}, "disk_driver": "virtio",
        "nic_driver": "virtio", "cpu_type": "host",
    },
]  # fmt: skip


def manifest(image: dict[str, Any]) -> dict[str, Any]:
    """The image's manifest, version 2."""
    digest = (image["uuid"].replace("-", "") * 2)[:40]
    found = {
        "v": 2, "uuid": image["uuid"], "owner": NOBODY, "name": image["name"], "version": image["version"],
        "state": "active", "disabled": False, "public": True, "published_at": image["published_at"],
        "type": image["type"], "os": image["os"],
        "files": [{"sha1": digest, "size": image["refer"] // 5, "compression": "gzip"}],
        "description": image["description"], "requirements": image["requirements"], "tags": image.get("tags", {}),
    }  # fmt: skip
    return found | {key: image[key] for key in ("image_size", "disk_driver", "nic_driver", "cpu_type") if key in image}


def image_record(image: dict[str, Any]) -> dict[str, Any]:
    """What imgadm keeps of an installed image."""
    return {"manifest": manifest(image), "zpool": "zones", "source": SOURCE}
