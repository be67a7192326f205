"""chunter.conf, the keys of commands, and who this host is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from chunter_nsq.authority import KeysInvalid, read_keys
from chunter_nsq.doctor.finding import Finding, fault, ok, skipped, warning
from chunter_nsq.doctor.patient import Patient
from chunter_nsq.identity import IdentityUnusable, known_id


async def configuration(patient: Patient) -> AsyncIterator[Finding]:
    """Every fault and note of the file; and that nobody else reads the secrets in it."""
    file = patient.paths.config
    if not patient.is_configured:
        yield warning(f"{file} does not exist: everything has its default", f"chunter config example > {file}")
        return
    for one in patient.faults:
        yield fault(one.at(str(file)), f"mend the file, then: chunter config check {file}")
    for one in patient.notes:
        yield warning(one.at(str(file)), "see chunter config diff")
    if not patient.faults:
        yield ok(f"{file} has no faults")
    if patient.config.secrets() and _is_open(file):
        yield warning(f"{file} holds secrets, and others may read it", f"chmod 600 {file}")


async def command_keys(patient: Patient) -> AsyncIterator[Finding]:
    """Whether commands are signed, and whether the keys can be used."""
    named = patient.config.command_keys
    if not named:
        yield warning(
            "commands are not signed: whoever reaches nsqd commands this host",
            "set command_keys to a file of keys, and sign commands (chunter call --key-file)",
        )
        return
    try:
        keys = read_keys(Path(named))
    except KeysInvalid as invalid:
        yield fault(str(invalid), "mend the file; the agent does not start without it")
        return
    yield ok(f"commands are signed; {named} has {len(keys)} key{'s' if len(keys) > 1 else ''}")
    if _is_open(Path(named)):
        yield warning(f"{named} can be read by others, who can then sign commands", f"chmod 600 {named}")


async def host_id(patient: Patient) -> AsyncIterator[Finding]:
    """The one line that controllers, topics and backups know this host by."""
    try:
        found = known_id(patient.paths, patient.config.topic_prefix)
    except IdentityUnusable as unusable:
        yield fault(str(unusable), "controllers, topics and backups know this host by its id alone")
        return
    if found is None:
        yield skipped(f"{patient.paths.hostid} is not there yet; the first start makes it")
    else:
        yield ok(f"this host is {found}")


def _is_open(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & 0o077)
    except OSError:
        return False
