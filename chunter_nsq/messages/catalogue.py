"""Every type of event with its topic and the shape of its data; documents and tests are made from this table."""

from __future__ import annotations

from dataclasses import dataclass

from chunter_nsq.messages.shapes import (
    ANY_OBJECT,
    COUNT,
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    WHOLE,
    Shape,
    howl,
    many,
    mapping,
    maybe,
    one_of,
    opened,
    record,
)

ZONE_STATES = (
    "booting", "running", "shutting_down", "stopped", "unknown", "installing_dataset", "creating", "provisioning",
    "failed", "stored", "deleted",
)  # fmt: skip
STATUSES = (
    "accepted", "progress", "succeeded", "failed", "rejected", "expired", "cancelled", "interrupted",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of event: the topic without its prefix, what it says, and the shape of ``data``."""

    type: str
    topic: str
    says: str
    data: Shape


_ERROR = record(code=TEXT, message=TEXT, details=ANY_OBJECT)
_PROGRESS = record(
    phase=TEXT,
    done=NUMBER,
    total=maybe(NUMBER),
    rate=maybe(NUMBER),
    eta_seconds=maybe(NUMBER),
    optional={"stdout": TEXT, "stderr": TEXT},
)
_RESULT = record(
    command=TEXT,
    action=TEXT,
    uuid=maybe(TEXT),
    host=TEXT,
    status=one_of(*STATUSES),
    result=maybe(ANY_OBJECT),
    error=maybe(_ERROR),
    progress=maybe(_PROGRESS),
    received=TIME,
    started=maybe(TIME),
    finished=maybe(TIME),
    duplicate=FLAG,
)
_ANNOUNCE = record(
    host=TEXT,
    alias=TEXT,
    ip=maybe(TEXT),
    port=maybe(WHOLE),
    version=TEXT,
    schema=WHOLE,
    simulated=FLAG,
    command_topic=TEXT,
    channel=TEXT,
    capabilities=many(one_of("zone", "kvm", "bhyve", "lx")),
    actions=many(TEXT),
    networks=many(TEXT),
    etherstubs=many(TEXT),
    sysinfo=ANY_OBJECT,
    resources=mapping(WHOLE),
    started=TIME,
    interval=NUMBER,
)
_HEARTBEAT = record(
    running=many(record(command=TEXT, action=TEXT, uuid=maybe(TEXT), started=TIME)),
    queued=COUNT,
    queues=mapping(COUNT),
    outbox=COUNT,
    outbox_bytes=COUNT,
    dropped=COUNT,
    tools=many(record(argv=many(TEXT), command=maybe(TEXT))),
    tool_runs=mapping(record(runs=COUNT, failures=COUNT, seconds=NUMBER)),
    publishers=mapping(record(failures=COUNT, late_seconds=NUMBER, missed=COUNT)),
    zone_events=record(stream=COUNT, list=COUNT),
    lag_seconds=NUMBER,
)
_MEMORY = record(**{"total-memory": COUNT, "provisioned-memory": COUNT, "reserved-memory": COUNT, "free-memory": WHOLE})
_POOL = record(
    size=maybe(COUNT),
    used=maybe(COUNT),
    free=maybe(COUNT),
    dedup=maybe(NUMBER),
    health=TEXT,
    optional={"errors": ANY_OBJECT},
)
_ARC = record(
    l1hits=COUNT,
    l1miss=COUNT,
    l1size=COUNT,
    l2hits=COUNT,
    l2miss=COUNT,
    l2size=COUNT,
    hit_rate=maybe(NUMBER),
)
_DEAD_LETTER = record(
    reason=TEXT,
    topic=TEXT,
    nsqd=TEXT,
    message_id=TEXT,
    encoding=one_of("utf-8", "base64"),
    body=TEXT,
    bytes=COUNT,
    truncated=FLAG,
    sha256=TEXT,
)
STOP_CAUSES = ("shut_down_inside", "init_failed", "init_killed", "out_of_memory", "unknown")
_WHY = record(cause=one_of(*STOP_CAUSES), evidence=many(record(source=TEXT, says=TEXT)))
_SIZE = record(size=COUNT, timestamp=TIME, optional={"vmadm": FLAG})


def _snapshot(action: str, **more: Shape) -> Kind:
    data = record(action=one_of(action), uuid=TEXT, **more)
    says = {
        "completed": "a snapshot was made",
        "deleted": "a snapshot is gone",
        "rollback": "a machine went back to a snapshot; newer snapshots are gone",
        "error": "a snapshot could not be made",
        "sizes": "snapshots of a machine whose sizes changed, or that are gone",
    }[action]
    return Kind(f"chunter.snapshot.{action}", "snapshot", says, howl("snapshot", data))


_FILE = record(size=COUNT, raw_size=COUNT, sha1=TEXT, sha256=TEXT)
_CHANGED = record(
    optional={
        "state": one_of("uploading", "restoring", "deleted"),
        "files": mapping(_FILE),
        "xml": FLAG,
        "local": FLAG,
    }
)


# One for each session, between its name's two halves.
CONSOLE = "console.{session}.out"
_CLOSED = {
    "reason": one_of("closed", "idle", "machine_stopped", "console_ended", "agent_stopped", "failed"),
    "message": maybe(TEXT),
}


def _backup(kind: str, action: str, says: str, data: Shape) -> Kind:
    message = howl("backup", record(action=one_of(action), uuid=TEXT, data=data))
    return Kind(f"chunter.backup.{kind}", "backup", says, message)


KINDS: tuple[Kind, ...] = (
    Kind("chunter.result", "result", "what becomes of a command", _RESULT),
    Kind(
        "chunter.zone.state",
        "zone",
        "a zone changed its state",
        howl("state", one_of(*ZONE_STATES), previous=maybe(TEXT), zone_state=maybe(TEXT)),
    ),
    Kind("chunter.zone.created", "zone", "a zone is there that was not", howl("create")),
    Kind(
        "chunter.zone.update",
        "zone",
        "the configuration of a zone, when it changed",
        howl("update", record(config=ANY_OBJECT, optional={"package": TEXT, "hypervisor": TEXT})),
    ),
    Kind("chunter.zone.info", "zone", "what the hypervisor of a running machine tells", howl("info", ANY_OBJECT)),
    Kind("chunter.zone.stopped", "zone", "why a machine stopped that nobody stopped", howl("why", _WHY)),
    Kind("chunter.zone.deleted", "zone", "a zone is gone", howl("delete")),
    Kind("chunter.zone.stored", "zone", "a machine is gone from here, its backup is in the store", howl("store")),
    Kind(
        "chunter.service.changed",
        "service",
        "services of a zone or of the host (its id) that changed; in maintenance or degraded ones stand out",
        record(
            event=one_of("services"),
            data=mapping(TEXT),
            changes=mapping(record(old=TEXT, new=TEXT, since=maybe(TEXT), optional={"next": TEXT})),
            optional={"attention": many(TEXT), "snapshot": record(part=COUNT, of=COUNT), "listed": FLAG},
        ),
    ),
    Kind("chunter.zpool.status", "zpool", "health and space of all pools, in MiB", howl("zpool", mapping(_POOL))),
    Kind("chunter.arc.stats", "arc", "the ARC; sizes in MiB, the hit rate in percent", howl("arc", _ARC)),
    *(
        Kind(f"chunter.metric.{name}", "metric", says, howl(name, opened(record())))
        for name, says in (
            ("cpu", "CPU of a zone or the host: nanoseconds used, and percent of one CPU under rates"),
            ("memstat", "memory of a zone in bytes, its caps, and how often they were hit"),
            ("net", "traffic of one NIC of a zone, counters and rates per second"),
            ("vfs", "file system operations of a zone, counters and rates per second"),
        )
    ),
    Kind(
        "chunter.metric.mpstat",
        "metric",
        "the CPUs of the host",
        howl("mpstat", record(cpus=many(opened(record(cpu=COUNT))))),
    ),
    Kind("chunter.memory.update", "memory", "the memory accounting of the host, in MiB", howl("memory", _MEMORY)),
    _snapshot("completed", data=record(comment=maybe(TEXT), timestamp=TIME, state=one_of("completed"))),
    _snapshot("deleted"),
    _snapshot("rollback"),
    _snapshot("error", message=TEXT),
    _snapshot("sizes", data=mapping(_SIZE), removed=many(TEXT), count=COUNT, bytes=COUNT),
    _backup("update", "update", "how far a backup is, or where it is", _CHANGED),
    _backup(
        "completed",
        "update",
        "a backup is in the store, whole and read back",
        record(state=one_of("completed"), local=FLAG, size=COUNT, parent=maybe(TEXT), files=mapping(_FILE)),
    ),
    _backup(
        "failed",
        "update",
        "a backup was not made or not restored; nothing of it counts, and the machine is as it was",
        record(state=one_of("failed"), message=TEXT),
    ),
    _backup(
        "restored",
        "restored",
        "a machine is what it was at a backup",
        record(path=many(record(snapshot=TEXT, kind=one_of("local", "full", "increment"))), lost=many(TEXT)),
    ),
    _backup(
        "verified",
        "verified",
        "a backup was looked at",
        record(level=one_of("catalogue", "hash", "stream", "restore"), good=FLAG),
    ),
    Kind("chunter.host.announce", "announce", "this host is here, and what it is", howl("announce", _ANNOUNCE)),
    Kind("chunter.host.heartbeat", "announce", "this host lives", howl("heartbeat", _HEARTBEAT)),
    Kind("chunter.host.leaving", "announce", "the agent ends in order", howl("leaving", record(host=TEXT, alias=TEXT))),
    Kind(
        "chunter.host.updated",
        "announce",
        "an update of the agent came to its end; returned: the new version was not well, and the one before runs again",
        howl(
            "updated",
            record(
                {"from": TEXT, "to": maybe(TEXT)},
                outcome=one_of("updated", "refused", "returned", "lost"),
                reason=maybe(TEXT),
                command=maybe(TEXT),
            ),
        ),
    ),
    Kind(
        "chunter.host.dropped",
        "announce",
        "statistics that were dropped for space before they were sent",
        howl("dropped", record({"from": COUNT, "to": COUNT}, topic=TEXT, count=COUNT, reason=TEXT)),
    ),
    Kind(
        "chunter.host.warning",
        "announce",
        "something of the agent fails, or works again",
        howl("warning", opened(record(source=TEXT, state=TEXT))),
    ),
    *(
        Kind(f"chunter.console.{name}", CONSOLE, says, howl(name, record(session=TEXT, **data)))
        for name, says, data in (
            ("output", "what a console shows next", {"output": TEXT, "encoding": one_of("utf-8", "base64")}),
            ("refused", "what was sent to a console's input is not typed", {"code": TEXT, "message": TEXT}),
            ("closed", "a console's session is over; the last of its output", _CLOSED),
        )
    ),
    Kind("chunter.deadletter", "deadletter", "a message that is no JSON object", howl("deadletter", _DEAD_LETTER)),
)


def envelope(kind: Kind) -> Shape:
    """The CloudEvents envelope around the data of a kind."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.type,
        "description": kind.says,
        **record(
            optional={"traceparent": TEXT},
            specversion=one_of("1.0"),
            id=TEXT,
            source=TEXT,
            type=one_of(kind.type),
            subject=TEXT,
            time=TIME,
            datacontenttype=one_of("application/json"),
            sequence={"type": "string", "pattern": "^[0-9]+$"},
            epoch=TEXT,
            data=kind.data,
        ),
    }
