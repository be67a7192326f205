"""The agent of this host, asked through its status listener."""

from __future__ import annotations

import http.client
import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chunter_nsq.cli.exits import Failure
from chunter_nsq.config import Config, ConfigInvalid, Paths, split_address
from chunter_nsq.identity import IdentityUnusable, known_id

STATUS = "/api/status"
_SECONDS = 5.0
_OK = 200

Data = Mapping[str, Any]


def configured(file: Path) -> Config:
    """The configuration in a file, the defaults without one; faults end the program with their lines."""
    try:
        return Config.read(file.read_bytes(), str(file))[0] if file.exists() else Config()
    except OSError as fault:
        raise Failure(f"{file} cannot be read: {fault.strerror}") from None
    except ConfigInvalid as fault:
        raise Failure(f"{fault}\nchunter config check {file} tells the same.") from None


def listener(file: Path) -> tuple[str, int]:
    """Where the agent listens, as seen from this host."""
    config = configured(file)
    if not config.status_listen:
        raise Failure(f"status_listen is off in {file}; set it to an address, such as 127.0.0.1:4200")
    host, port = split_address(config.status_listen)
    if port == 0:
        raise Failure(f"status_listen has port 0 in {file}: any free port, which only the agent knows; name one")
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return host, port


def asked(paths: Paths) -> Data:
    """The state of a tree's agent; raises Failure when none answers, or something else does, or another's agent."""
    address = listener(paths.config)
    status, body = fetched(address, STATUS)
    told = _document(body)
    if status != _OK or told is None:
        raise Failure(f"what listens at {_where(address)} is no agent of this version: {STATUS} answered with {status}")
    _check_own(told, address, paths)
    return told


def _check_own(told: Data, address: tuple[str, int], paths: Paths) -> None:
    """Two trees may name the same address; whose agent it is tells the host id, where the tree has one already."""
    try:
        own = known_id(paths)
    except IdentityUnusable as fault:
        raise Failure(f"whether this tree's agent answers cannot be told: {fault}") from None
    found = told.get("host", own)
    if own is not None and found != own:
        raise Failure(
            f"what listens at {_where(address)} is the agent of another host id, {found}; {paths.root} has {own}. "
            "Is it the other one's tree that you mean? --root names it. Two agents need two values of status_listen."
        )


def fetched(address: tuple[str, int], path: str) -> tuple[int, bytes]:
    """Status and body of a page; raises Failure when nobody answers."""
    host, port = address
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as fault:
        raise Failure(
            f"no agent answers at {_where(address)} ({fault or type(fault).__name__}). Start it with: svcadm enable "
            "chunter, or chunter run. Is it another tree's? --root names it."
        ) from None
    finally:
        connection.close()


def _where(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _document(body: bytes) -> Data | None:
    try:
        told = json.loads(body)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
