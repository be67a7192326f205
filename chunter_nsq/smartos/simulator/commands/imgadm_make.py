"""imgadm install, create and vacuum: images out of files, files out of machines, and images that nobody uses.

A stream goes through the host's own ``zfs``, so that a host with real datasets gets and gives real streams.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess  # noqa: TID251 - the simulator is the platform, and starts what the platform would
import sys
import time
import uuid as uuids

from chunter_nsq.smartos.simulator.files import read_bytes, write_bytes
from chunter_nsq.smartos.simulator.machine import Machines
from chunter_nsq.smartos.simulator.pools import open_pool
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from chunter_nsq.smartos.simulator.process import Process

    Installed = Callable[[str], dict[str, dict[str, Any]]]

FOLDER = "var/imgadm/images"
NEEDED = ("v", "uuid", "name", "version", "type", "os", "files")
COMPRESSIONS = {"none": ".zfs", "gzip": ".zfs.gz", "bzip2": ".zfs.bz2", "xz": ".zfs.xz"}
BLOCK_BYTES = 2**20


def install(process: Process, words: list[str], installed: Installed) -> int:
    """``imgadm install -m MANIFEST -f FILE [-P pool]``."""
    given = _options("install", words, {"-m": "", "-f": "", "-P": "zones"})
    if not given["-m"] or not given["-f"]:
        raise _error("install", "UsageError", "must specify manifest file (-m) and image file (-f)")
    manifest = _manifest("install", given["-m"])
    missing = [name for name in NEEDED if not manifest.get(name)]
    if missing:
        raise _error("install", "ManifestValidation", f"missing required manifest fields: {', '.join(missing)}")
    uuid, title = manifest["uuid"], f"{manifest['name']}@{manifest['version']}"
    if uuid in installed(process.root):
        raise _error("install", "ImageAlreadyInstalled", f'image "{uuid}" is already installed')
    _check_file(given["-f"], manifest["files"][0])
    process.line(f"Installing image {uuid} ({title})")
    process.flush()
    _receive(process.root, f"{given['-P']}/{uuid}", given["-f"], manifest["files"][0].get("compression", "none"))
    record = {"manifest": manifest, "zpool": given["-P"]}
    write_bytes(process.path(FOLDER, f"{given['-P']}-{uuid}.json"), json.dumps(record, indent=1).encode())
    process.line(f"Installed image {uuid} ({title})")
    return 0


def create(process: Process, words: list[str], installed: Installed) -> int:
    """``imgadm create [-c COMPRESSION] [-o FILE] [-m MANIFEST] VM [name=value ...]``."""
    given = _options("create", words, {"-c": "none", "-o": ".", "-m": "", "-s": "", "-p": ""})
    names = [word for word in words if not word.startswith("-") and "=" not in word]
    fields = dict(word.split("=", 1) for word in words if "=" in word and not word.startswith("-"))
    if len(names) != 1:
        raise _error("create", "UsageError", f"incorrect number of args ({len(names)})")
    if given["-c"] not in ("none", "gzip"):
        raise _error("create", "UsageError", f'the simulated imgadm cannot compress with "{given["-c"]}"')
    vm = Machines(World(process.root)).get(names[0])
    if vm is None:
        raise _error("create", "VmNotFound", f"vm not found: {names[0]}")
    if vm["state"] != "stopped":
        raise _error("create", "VmNotStopped", f"cannot create an image from a running VM: {names[0]}")
    chosen = (_manifest("create", given["-m"]) if given["-m"] else {}) | fields
    missing = [name for name in ("name", "version") if not chosen.get(name)]
    if missing:
        raise _error("create", "ManifestValidation", f"missing required manifest fields: {', '.join(missing)}")
    made = _made(vm, chosen, installed(process.root))
    process.line("Manifest:\n" + "\n".join(f"    {line}" for line in json.dumps(made, indent=2).splitlines()))
    process.flush()
    ending = COMPRESSIONS[given["-c"]]
    stem = given["-o"].removesuffix(ending)
    if os.path.isdir(stem):  # noqa: PTH112 - starts must be quick
        stem += f"/{made['name'].replace('/', '-')}-{made['version']}"
    file, manifest = f"{stem}{ending}", f"{stem}.imgmanifest"
    made["files"] = [_send(process.root, vm, file, given["-c"])]
    write_bytes(manifest, json.dumps(made, indent=2).encode())
    process.line(f'Image {made["uuid"]} ({made["name"]}@{made["version"]}) saved to "{file}"')
    process.line(f'Manifest saved to "{manifest}"')
    return 0


def vacuum(process: Process, words: list[str], installed: Installed) -> int:
    """``imgadm vacuum [-n] [-f]``: every image that nothing was made from goes."""
    unused = {uuid: record for uuid, record in installed(process.root).items() if not record["clones"]}
    if "-n" not in words and "-f" not in words and unused:
        process.line(f"This will delete {len(unused)} images.")
        if process.stdin().strip().lower() not in (b"y", b"yes"):
            raise Refused("imgadm vacuum: aborting")
    pool = open_pool(process.root)
    for uuid, record in unused.items():
        mark = "[dry-run] " if "-n" in words else ""
        if not mark:
            with pool:
                pool.remove(f"{record['zpool']}/{uuid}")
            os.unlink(process.path(FOLDER, f"{record['zpool']}-{uuid}.json"))  # noqa: PTH108 - starts must be quick
        manifest = record["manifest"]
        process.line(f"{mark}Deleted image {uuid} ({manifest['name']}@{manifest['version']})")
    pool.close()
    return 0


def _options(verb: str, words: list[str], known: dict[str, str]) -> dict[str, str]:
    """The options that have a value; their words are taken out."""
    found = dict(known)
    for name in known:
        while name in words:
            at = words.index(name)
            if at + 1 == len(words):
                raise _error(verb, "UsageError", f'option requires an argument: "{name}"')
            found[name] = words[at + 1]
            del words[at : at + 2]
    return found


def _error(verb: str, code: str, text: str) -> Refused:
    return Refused(f"imgadm {verb}: error ({code}): {text}")


def _manifest(verb: str, path: str) -> dict[str, Any]:
    content = read_bytes(path)
    if content is None:
        raise _error(verb, "UsageError", f'manifest path does not exist: "{path}"')
    try:
        found = json.loads(content)
    except ValueError as fault:
        raise _error(verb, "ManifestValidation", f'manifest "{path}" is invalid JSON: {fault}') from fault
    if not isinstance(found, dict):
        raise _error(verb, "ManifestValidation", f'manifest "{path}" is not an object')
    return found


def _check_file(path: str, told: dict[str, Any]) -> None:
    if not os.path.isfile(path):  # noqa: PTH113 - starts must be quick
        raise _error("install", "UsageError", f'image file path does not exist: "{path}"')
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    with open(path, "rb") as file:  # noqa: PTH123 - starts must be quick
        while piece := file.read(BLOCK_BYTES):
            digest.update(piece)
            size += len(piece)
    if size != told.get("size"):
        text = f'"{path}" size, {size}, does not match manifest size, {told.get("size")}'
        raise _error("install", "InstallImageError", text)
    if digest.hexdigest() != told.get("sha1"):
        text = f'"{path}" checksum, {digest.hexdigest()}, does not match manifest sha1, {told.get("sha1")}'
        raise _error("install", "InstallImageError", text)


def _receive(root: str, name: str, path: str, compression: str) -> None:
    """The stream in the file becomes the image's dataset, which gets its name when all of it is there."""
    partial = f"{name}-partial"
    zfs = f"{root}/usr/sbin/zfs"
    child = subprocess.Popen([zfs, "receive", "-u", f"{partial}@final"], stdin=subprocess.PIPE)
    broken = ""
    try:
        opened = gzip.open(path) if compression == "gzip" else open(path, "rb")  # noqa: PTH123, SIM115 - starts must be quick
        with opened as file:
            shutil.copyfileobj(file, child.stdin, BLOCK_BYTES)  # type: ignore[arg-type] # it is a pipe
        child.stdin.close()  # type: ignore[union-attr] # it is a pipe
    except (OSError, EOFError) as fault:
        broken = str(fault)
        child.kill()
    if child.wait() != 0 or broken:
        raise _error("install", "InstallImageError", f"error importing: {broken or 'zfs receive failed'}")
    pool = open_pool(root)
    one = pool.dataset(partial)
    with pool:
        if one is not None and one.type == "filesystem":
            pool.set_local(partial, {"mountpoint": "none"})
        pool.rename(partial, name)
    pool.close()


def _made(vm: dict[str, Any], chosen: dict[str, Any], known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    disks = vm.get("disks") or [{}]
    image = vm.get("image_uuid") or disks[0].get("image_uuid")
    origin = known.get(image, {}).get("manifest", {})
    kind = "zvol" if vm["hvm"] else "lx-dataset" if vm["brand"] == "lx" else "zone-dataset"
    made = {
        "v": 2, "uuid": str(uuids.uuid4()), "owner": vm["owner_uuid"], "name": "", "version": "", "state": "active",
        "disabled": False, "public": False, "published_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "type": kind, "os": origin.get("os", "other"), "requirements": origin.get("requirements", {}),
    }  # fmt: skip
    if vm["hvm"]:
        made |= {"image_size": disks[0]["size"], "nic_driver": "virtio", "disk_driver": "virtio", "cpu_type": "host"}
    return made | chosen


def _send(root: str, vm: dict[str, Any], file: str, compression: str) -> dict[str, Any]:
    """The machine's root or first disk in a file; its sum and size."""
    dataset = vm["disks"][0]["zfs_filesystem"] if vm["hvm"] else vm["zfs_filesystem"]
    snapshot = f"{dataset}@imgadm-create-{os.getpid()}"
    zfs = f"{root}/usr/sbin/zfs"
    subprocess.run([zfs, "snapshot", snapshot], check=True)
    try:
        child = subprocess.Popen([zfs, "send", snapshot], stdout=subprocess.PIPE)
        raw = open(file, "wb")  # noqa: PTH123, SIM115 - starts must be quick
        with raw, gzip.open(raw, "wb", 1) if compression == "gzip" else raw as packed:
            shutil.copyfileobj(child.stdout, packed, BLOCK_BYTES)  # type: ignore[arg-type] # it is a pipe
        if child.wait() != 0:
            sys.exit(1)
    finally:
        subprocess.run([zfs, "destroy", snapshot], check=False)
    content = read_bytes(file) or b""
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return {"sha1": digest, "size": len(content), "compression": compression}
