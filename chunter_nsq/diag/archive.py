"""Puts the archive together. Everything passes the redactor on its way in; there is no other way in."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.metadata
import io
import json
import os
import platform
import sqlite3
import ssl
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from chunter_nsq import __version__, ledger
from chunter_nsq.config import KEYS, split_address, written
from chunter_nsq.diag import known, sources
from chunter_nsq.diag.page import page
from chunter_nsq.diag.redaction import Redactor
from chunter_nsq.doctor.examination import Examined, examine
from chunter_nsq.doctor.patient import Patient
from chunter_nsq.messages.events import timestamp

_LIBRARIES = ("pynsq", "tornado", "boto3", "marshmallow", "sentry-sdk", "prometheus-client", "click", "rich")
_AGENT_PAGES = {"status.json": "/api/status", "metrics.txt": "/metrics", "readyz.txt": "/readyz"}
_AGENT_SECONDS = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Archive:
    """Names and texts, without secrets; ``first`` is the first page."""

    members: Mapping[str, str]

    @property
    def first(self) -> str:
        """The first page."""
        return self.members["README.txt"]

    def write(self, file: Path) -> None:
        """As tar.gz that only its owner may read, whole or not at all.

        Raises:
            OSError: it cannot be written, or is there already.
        """
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as opened, tarfile.open(fileobj=opened, mode="w:gz") as packed:
                for name, text in self.members.items():
                    _add(packed, f"{file.name.partition('.')[0]}/{name}", text.encode())
            os.link(draft, file)  # unlike a rename it never takes the place of another file
        finally:
            draft.unlink(missing_ok=True)


async def gather(patient: Patient) -> Archive:
    """Look at everything; what cannot be had is said in its place."""
    redactor = Redactor.of(patient)
    examined, outputs, agent = await asyncio.gather(
        examine(patient), sources.outputs(patient), _agent(patient.config.status_listen)
    )
    logs = sources.logs(patient)
    made = timestamp(time.time())
    first = page(patient.host_id or "without an id", made, examined, tuple(known.recognise(logs)))
    members = {
        "README.txt": first,
        "doctor.json": _json(_findings(examined)),
        "versions.json": _json(_versions(patient)),
        "config/chunter.conf": _configured(patient),
        "config/effective.txt": _effective(patient),
        "journal.json": _json(ledger.summary(patient.paths.database)),
        **{f"agent/{name}": text for name, text in agent.items()},
        **{f"logs/{name}": text for name, text in logs.items()},
        **{f"tools/{name}.txt": text for name, text in outputs.items()},
    }
    return Archive({name: redactor.text(text) for name, text in members.items()})


def _findings(examined: tuple[Examined, ...]) -> list[dict[str, Any]]:
    return [{"check": one.check, **dataclasses.asdict(finding)} for one in examined for finding in one.findings]


def _versions(patient: Patient) -> dict[str, Any]:
    installed = patient.paths.version
    return {
        "chunter": __version__,
        "installed": installed.read_text("utf-8", "replace").strip() if installed.is_file() else None,
        "python": sys.version,
        "executable": sys.executable,
        "sqlite": sqlite3.sqlite_version,
        "openssl": ssl.OPENSSL_VERSION,
        "system": " ".join(platform.uname()),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "root": str(patient.paths.root),
        "platform_root": str(patient.platform),
        "simulated": patient.is_simulated,
        "host": patient.host_id,
    }


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _configured(patient: Patient) -> str:
    """The file itself with the values of secret keys starred, also where a line is a comment."""
    if not patient.paths.config.is_file():
        return f"# {patient.paths.config} does not exist\n"
    secret = {key.name for key in KEYS.values() if key.secret}
    lines = []
    for line in sources.end_of(patient.paths.config).splitlines():
        name, equals, value = line.partition("=")
        hide = equals and name.strip("# \t") in secret and value.strip() and not value.strip().startswith("@")
        lines.append(f"{name}= ***" if hide else line)
    return "\n".join(lines) + "\n"


def _effective(patient: Patient) -> str:
    rows = [f"{key.name} = {written(patient.config, attribute)}" for attribute, key in KEYS.items()]
    faults = [f"# fault: {one.at(str(patient.paths.config))}" for one in patient.faults]
    return "\n".join((*faults, *rows)) + "\n"


async def _agent(address: str) -> dict[str, str]:
    """The pages of the status listener; why there are none when it does not answer."""
    if not address:
        return {"status.txt": "status_listen is off\n"}
    host, port = split_address(address)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - looked at, not bound
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    client = AsyncHTTPClient(force_instance=True)
    told = {}
    try:
        for name, path in _AGENT_PAGES.items():
            answer = await client.fetch(f"http://{where}{path}", raise_error=False, request_timeout=_AGENT_SECONDS)
            told[name] = answer.body.decode("utf-8", "replace")
    except (OSError, HTTPClientError) as nobody:
        return {"status.txt": f"nobody answers at {where}: {nobody}\n"}
    finally:
        client.close()
    return told


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _add(packed: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
    packed.addfile(entry, io.BytesIO(content))
