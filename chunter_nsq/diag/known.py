"""Problems that are known by the traces they leave in logs, each with what it means and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A trace, as a regular expression on one line of a log, and what it means."""

    name: str
    trace: re.Pattern[str]
    means: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """A problem that left its trace: where, how often, and the newest line."""

    problem: Problem
    file: str
    count: int
    line: str


def _problem(name: str, trace: str, means: str, remedy: str) -> Problem:
    return Problem(name, re.compile(trace, re.IGNORECASE), means, remedy)


PROBLEMS = (
    _problem(
        "configuration refused",
        r"chunter\.conf:\d+: |config\.refused",
        "chunter.conf has faults. At a start the agent ends with 96 and SMF puts it into maintenance; at a refresh "
        "the old configuration stays.",
        "chunter config check; then svcadm clear chunter, or svcadm refresh chunter",
    ),
    _problem(
        "host id unusable",
        r"agent\.nameless",
        "etc/hostid is empty, damaged or unreadable.",
        "put the former id back (controllers know it, and backups name it), then: svcadm clear chunter",
    ),
    _problem(
        "two agents on one tree",
        r"agent\.second",
        "An agent was started while another one ran, often by hand beside SMF's.",
        "end the one that was started by hand",
    ),
    _problem(
        "status address taken",
        r"agent\.unlistenable",
        "Another program listens where status_listen is, or the address is on no interface of this host.",
        "end that program, or name another address in chunter.conf, then: svcadm clear chunter",
    ),
    _problem(
        "a stranger on the channel",
        r"host\.channel_shared",
        "Somebody else reads this host's commands; what he gets never arrives here.",
        "end that program; give a copied host an id of its own: remove etc/hostid on the copy",
    ),
    _problem(
        "restarted too often",
        r"restarting too quickly|transitioned to maintenance|method.*failed repeatedly",
        "The agent ends soon after its start, again and again.",
        "the lines before it in the SMF log say why; then: svcadm clear chunter",
    ),
    _problem(
        "name not resolved",
        r"name or service not known|nodename nor servname|name resolution|getaddrinfo|node name or service name",
        "A host name cannot be resolved: one in chunter.conf, or nsqd's own, which nsqlookupd hands out.",
        "mend DNS on this host, write addresses, or start nsqd with -broadcast-address=ADDRESS",
    ),
    _problem(
        "TLS refused",
        r"does not offer TLS|certificate[_ ]verify[_ ]failed|hostname mismatch|wrong version number|TLS with nsqd",
        "nsqd and this host do not agree on TLS or its certificates.",
        "compare nsq.tls, nsq.tls_ca and nsqd's certificate; the name in nsqd or nsqlookupd must stand in it",
    ),
    _problem(
        "AUTH refused",
        r"E_AUTH|E_UNAUTHORIZED",
        "nsqd does not know the secret, or does not let it use our topics.",
        "compare nsq.auth_secret; the authority must allow subscribe and publish on our topics, every channel (.*)",
    ),
    _problem(
        "disk full",
        r"no space left on device|database or disk is full|ENOSPC",
        "There is no room: the journal cannot be written, and nothing is accepted.",
        "make room in the pool (zfs list -o space); lower outbox_limit",
    ),
    _problem(
        "journal broken",
        r"disk image is malformed|file is not a database|file is encrypted or is not a database",
        "var/chunter.db is damaged.",
        "stop the agent, move var/chunter.db away, start it; commands without an end are lost and must be sent again",
    ),
    _problem(
        "memory or swap short",
        r"cannot allocate memory|not enough space|MemoryError|ENOMEM",
        "Processes could not be started for want of swap (illumos: Not enough space), or memory ran out.",
        "see swap -l and zonememstat; lower backup_memory; raise reserved_memory",
    ),
    _problem(
        "too many open files",
        r"too many open files|EMFILE",
        "The limit of open files is reached.",
        "report it with this archive; restart the agent meanwhile",
    ),
    _problem(
        "store refuses the keys",
        r"SignatureDoesNotMatch|InvalidAccessKeyId|AccessDenied",
        "The object store does not accept s3.access_key and s3.secret_key, or they may not use the bucket.",
        "compare them with the store; chunter doctor tries again",
    ),
    _problem(
        "clock wrong",
        r"RequestTimeTooSkewed|auth\.ts must be the epoch seconds",
        "This host's clock differs from those of others by minutes.",
        "set it by NTP",
    ),
    _problem(
        "bucket missing",
        r"NoSuchBucket",
        "The bucket of s3.bucket does not exist; the agent makes none.",
        "make it, or mend the name",
    ),
    _problem(
        "installation incomplete",
        r"ModuleNotFoundError|ImportError|No module named|bad interpreter",
        "A part of the program, or the Python that it was installed with, is gone (pkgsrc was updated?).",
        "install the same version again; configuration and journal are kept",
    ),
    _problem(
        "tool hangs",
        r"tool_timeout|did not end within|ToolTimeout",
        "A platform tool did not end in time and was killed.",
        "look at the pool (zpool status) and at svcs -xv vminfod; run the tool by hand",
    ),
    _problem(
        "fault of the agent",
        r'"exception": "Traceback|Traceback \(most recent call last\)',
        "The agent met something it did not expect.",
        "report it with this archive",
    ),
)


def recognise(logs: Mapping[str, str]) -> Iterator[Recognised]:
    """The problems whose traces stand in logs; ``logs`` maps names of files to their text."""
    for problem in PROBLEMS:
        for file, text in logs.items():
            lines = [line for line in text.splitlines() if problem.trace.search(line)]
            if lines:
                yield Recognised(problem, file, len(lines), lines[-1][:500])
