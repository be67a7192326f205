"""How every action may end: well, and with each error that it declares; ``CASES`` is one table of both.

What befalls commands of every kind alike (``forbidden``, ``cancelled``, ``interrupted``) is not in it: see
flow/test_endings_of_all.py.
"""

from __future__ import annotations

from typing import Any

from stage import MORE, Begun, Case, Full, Gone, Ill, Laid, Sent, Spoilt, Struck, Torn, Typed
from worlds import BASE_IMAGE, payload

from chunter_nsq.errors import (
    AlreadyExists,
    ChecksumMismatch,
    InsufficientResources,
    InvalidState,
    Locked,
    NoRestorePath,
    NotFound,
    StorageFailed,
    ToolFailed,
    ToolTimeout,
    Unsupported,
)

ALPINE = "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b"
MINIMAL = "85d0f826-0131-11ed-973d-2bfeef68011f"
MAC = "92:b8:d0:ff:ff:ff"
CRON, SSH, UPDATER = "svc:/system/cron:default", "svc:/network/ssh:default", "svc:/network/chunter-update:default"
PACKAGE = {"uuid": "7e4a5a4a-7bb2-4a5b-9e1f-2f4b0c1d2e3f", "ram": 512, "quota": 5, "cpu_cap": 150}
NO_BUCKET = {"s3": {"bucket": "there-is-none"}}
ONE, TWO = {"snapshot": "one"}, {"snapshot": "two", "parent": "one"}
RULES = {"rules": ["FROM any TO vm {running} ALLOW tcp PORT 22"]}
BACKED = Sent("backup.create", "stopped", ONE)
CHAIN = (BACKED, Sent("backup.create", "stopped", TWO))
SLOW_SERVICES = Laid("var/simulator/latency.json", '{"smf start": 8, "smf stop": 8}')
OUT_OF_SPACE = "out of space"
CANNOT_DESTROY = "Failed to delete VM: Command failed: cannot destroy 'zones/x'"
IN_USE = "Command failed: zoneadm: zone 'x': another zoneadm may have an operation in progress."
NO_MEMORY = "Command failed: zoneadm: zone 'x': could not start zoneadmd: Not enough space"


def fails(tool: str, subcommand: str, said: str = "internal error: I/O error") -> Struck:
    """A tool that refuses in a way that nobody knows; ``said`` can be one that is known."""
    return Struck({"tool": tool, "subcommand": subcommand, "exit": 1, "stderr": said})


def hangs(tool: str, subcommand: str) -> Struck:
    """A tool that never ends."""
    return Struck({"tool": tool, "subcommand": subcommand, "hang": True})


def tools(tool: str, subcommand: str, about: str = "", params: dict[str, Any] | None = None) -> tuple[Case, ...]:
    """Both ways in which a tool that is run does not do its work."""
    return (
        Case(ToolFailed, about, params or {}, (fails(tool, subcommand),)),
        Case(ToolTimeout, about, params or {}, (hangs(tool, subcommand),)),
    )


def _services(verb: str, state: str = "online") -> tuple[Case, ...]:
    """``state`` is the one that the verb starts from."""
    wanted, ready = {"service": CRON}, Ill(CRON, state, "running")
    restarting = (Typed(("svcadm", "-z", "{running}", "restart", CRON)),) if verb == "refresh" else ()
    return (
        Case(None, "running", wanted, (ready,)),
        Case(NotFound, "running", {"service": "nosuch"}),
        Case(InvalidState, "stopped", wanted),
        Case(Unsupported, "lx", wanted),
        Case(ToolFailed, "running", wanted, (ready, fails("svcadm", verb))),
        Case(ToolTimeout, "running", {**wanted, "timeout": 1}, (ready, SLOW_SERVICES, *restarting)),
    )


def _boots(verb: str, about: str) -> tuple[Case, ...]:
    """What keeps a machine from booting, whichever verb of vmadm boots it."""
    taken = "Command failed: dladm: vnic creation over igb0 failed: object already exists"
    return (
        Case(NotFound, "nobody"),
        Case(InvalidState, about, before=(fails("vmadm", verb, IN_USE),)),
        Case(AlreadyExists, about, before=(fails("vmadm", verb, taken),)),
        Case(InsufficientResources, about, before=(fails("vmadm", verb, NO_MEMORY),)),
        Case(Unsupported, about, before=(fails("vmadm", verb, "Bhyve not supported"),)),
        *tools("vmadm", verb, about),
    )


def _store(**params: Any) -> tuple[Case, ...]:
    return (Case(StorageFailed, "stopped", {**params, **NO_BUCKET}),)


CASES: dict[str, tuple[Case, ...]] = {
    "host.ping": (Case(None),),
    "host.info": (Case(None),),
    "host.replay": (
        Case(None, params={"topic": "chunter.result", "from": 1}, before=(Sent("host.ping"),)),
        Case(NotFound, params={"topic": "zone", "from": 1}),
    ),
    "command.status": (
        Case(None, params={"command": "{last}"}, before=(Sent("host.ping"),)),
        Case(NotFound, params={"command": "never-sent"}),
    ),
    "command.cancel": (
        Case(
            None,
            params={"command": "{last}"},
            before=(Begun("machine.execute", "running", {"argv": ["sleep", "60"]}),),
        ),
        Case(NotFound, params={"command": "never-sent"}),
        Case(InvalidState, params={"command": "{last}"}, before=(Sent("host.ping"),)),
    ),
    "lock.acquire": (Case(None, "running"), Case(Locked, "stopped")),
    "lock.release": (
        Case(None, "running"),
        Case(Locked, "running", before=(Sent("lock.acquire", "stopped"),)),
    ),
    "machine.list": (
        Case(None),
        Case(
            Unsupported,
            params={"fields": ["uuid", "customer_metadata"]},
            before=tuple(
                Sent("machine.update", name, {"payload": {"set_customer_metadata": {"text": "x" * 600_000}}})
                for name in ("running", "stopped")
            ),
        ),
        *tools("vmadm", "lookup"),
    ),
    "machine.get": (
        Case(None, "running"),
        Case(NotFound, "nobody"),
        Case(
            Unsupported,
            "running",
            before=(Sent("machine.update", "running", {"payload": {"set_customer_metadata": {"t": "x" * 600_000}}}),),
        ),
        *tools("vmadm", "get", "running"),
    ),
    "machine.info": (
        Case(None, "kvm"),
        Case(NotFound, "nobody"),
        Case(Unsupported, "running"),
        Case(InvalidState, "kvm", before=(Sent("machine.stop", "kvm", {"force": True}),)),
        *tools("vmadm", "info", "kvm"),
    ),
    "machine.create": (
        Case(None, params={"payload": payload()}),
        Case(AlreadyExists, "running", {"payload": payload()}),
        Case(NotFound, params={"payload": payload(image_uuid="{nobody}")}),
        Case(InsufficientResources, params={"payload": payload(max_physical_memory=10**7)}),
        Case(
            Unsupported,
            params={"package": PACKAGE, "dataset": {"type": "x", "uuid": BASE_IMAGE}, "config": {"alias": "a"}},
        ),
        *tools("vmadm", "create", params={"payload": payload()}),
        Case(
            Locked,
            params={"payload": payload()},
            before=(Sent("lock.acquire", "running"),),
            meanwhile=(Sent("lock.acquire", "running"),) * 20,  # until long after the command began to wait
        ),
    ),
    "machine.update": (
        Case(None, "running", {"payload": {"alias": "new"}}),
        Case(NotFound, "running", {"payload": {"remove_nics": [MAC]}}),
        Case(
            InvalidState,
            "running",
            {"payload": {"alias": "x"}},
            (fails("vmadm", "update", "zoneadm: zone is incomplete"),),
        ),
        Case(
            InsufficientResources,
            "running",
            {"payload": {"quota": 1}},
            (fails("vmadm", "update", "cannot set property: size is less than current used or reserved space"),),
        ),
        Case(
            Unsupported,
            "kvm",
            {"payload": {"vcpus": 2}},
            (fails("vmadm", "update", "this is only supported for zones"),),
        ),
        *tools("vmadm", "update", "running", {"payload": {"alias": "x"}}),
    ),
    "machine.start": (
        Case(None, "stopped"),
        Case(InvalidState, "half"),
        *_boots("start", "running"),
    ),
    "machine.stop": (
        Case(None, "running", {"force": True}),
        Case(NotFound, "nobody"),
        Case(InvalidState, "stopped", before=(fails("vmadm", "stop", IN_USE),)),
        Case(InsufficientResources, "stopped", before=(fails("vmadm", "stop", NO_MEMORY),)),
        Case(Unsupported, "running", {"timeout": 5}, (Sent("machine.start", "running"),)),
        *tools("vmadm", "stop", "stopped"),
    ),
    "machine.reboot": (
        Case(None, "running", {"force": True}),
        Case(InvalidState, "stopped"),
        *_boots("reboot", "running"),
    ),
    "machine.delete": (
        Case(None, "running"),
        Case(None, "nobody"),
        Case(
            InvalidState,
            "stopped",
            before=(Sent("machine.update", "stopped", {"payload": {"indestructible_zoneroot": True}}),),
        ),
        Case(InsufficientResources, "lx", before=(fails("vmadm", "delete", f"{CANNOT_DESTROY}: {OUT_OF_SPACE}"),)),
        Case(
            Unsupported, "lx", before=(fails("vmadm", "delete", f"{CANNOT_DESTROY}: unsupported version or feature"),)
        ),
        *tools("vmadm", "delete", "lx"),
    ),
    "machine.store": (
        Case(NotFound, "nobody"),
        Case(InvalidState, "stopped"),
        Case(ToolFailed, "stopped", before=(BACKED, fails("vmadm", "delete"))),
        Case(ToolTimeout, "stopped", before=(hangs("vmadm", "delete"),)),
        Case(InsufficientResources, "stopped", before=(fails("vmadm", "delete", f"{CANNOT_DESTROY}: {OUT_OF_SPACE}"),)),
        Case(
            Unsupported,
            "stopped",
            before=(fails("vmadm", "delete", f"{CANNOT_DESTROY}: unsupported version or feature"),),
        ),
        Case(None, "stopped"),
        Case(ChecksumMismatch, "odd", before=(Sent("backup.create", "odd", ONE), Spoilt("{odd}/one.manifest.json"))),
        Case(StorageFailed, "odd", before=(Torn("{odd}/one.manifest.json"),)),
    ),
    "machine.execute": (
        Case(None, "running", {"argv": ["hostname"]}),
        Case(NotFound, "nobody", {"argv": ["hostname"]}),
        Case(InvalidState, "stopped", {"argv": ["hostname"]}),
        Case(Unsupported, "kvm", {"argv": ["hostname"]}),
        Case(ToolFailed, "running", {"argv": ["hostname"]}, (fails("zoneadm", "list"),)),
        Case(ToolTimeout, "running", {"argv": ["sleep", "60"], "timeout": 1}),
    ),
    "console.open": (
        Case(None, "running", {"session": "one"}),
        Case(NotFound, "nobody", {"session": "two"}),
        Case(InvalidState, "kvm", {"session": "two"}, (Sent("machine.stop", "kvm", {"force": True}),)),
        Case(AlreadyExists, "stopped", {"session": "one"}),
        Case(Locked, "running", {"session": "two"}),
        *tools("vmadm", "get", "running", {"session": "two"}),
        Case(
            InsufficientResources,
            "half",
            {"session": "one-too-many"},
            tuple(Sent("console.open", name, {"session": name}) for name in MORE),
        ),
    ),
    "console.close": (
        Case(None, "running", {"session": "one"}, (Sent("console.open", "running", {"session": "one"}),)),
        Case(NotFound, "running", {"session": "one"}),
    ),
    "snapshot.create": (
        Case(None, "running", ONE),
        Case(NotFound, "nobody", ONE),
        Case(AlreadyExists, "running", ONE),
        Case(InsufficientResources, "stopped", ONE, (fails("zfs", "snapshot", OUT_OF_SPACE),)),
        Case(ToolFailed, "stopped", ONE, (fails("zfs", "snapshot"),)),
        Case(ToolTimeout, "stopped", ONE, (hangs("vmadm", "get"),)),
    ),
    "snapshot.list": (
        Case(None, "running"),
        Case(NotFound, "nobody"),
        *tools("vmadm", "get", "running"),
    ),
    "snapshot.delete": (
        Case(NotFound, "stopped", ONE),
        Case(
            InvalidState,
            "stopped",
            ONE,
            (Sent("snapshot.create", "stopped", ONE), Typed(("zfs", "hold", "mine", "zones/{stopped}@one"))),
        ),
        Case(
            ToolFailed,
            "stopped",
            ONE,
            (Typed(("zfs", "release", "mine", "zones/{stopped}@one")), fails("zfs", "destroy")),
        ),
        Case(ToolTimeout, "stopped", ONE, (hangs("vmadm", "get"),)),
        Case(None, "stopped", ONE),
    ),
    "snapshot.rollback": (
        Case(NotFound, "stopped", ONE),
        Case(InvalidState, "running", ONE, (Sent("snapshot.create", "running", ONE),)),
        Case(ToolFailed, "stopped", ONE, (Sent("snapshot.create", "stopped", ONE), fails("zfs", "rollback"))),
        Case(ToolTimeout, "stopped", ONE, (hangs("vmadm", "get"),)),
        Case(None, "stopped", ONE),
    ),
    "snapshot.store": (
        Case(NotFound, "stopped", {**ONE, "image": "{image}"}),
        Case(
            ToolFailed,
            "stopped",
            {**ONE, "image": "{image}"},
            (Sent("snapshot.create", "stopped", ONE), fails("zfs", "send")),
        ),
        Case(ToolTimeout, "stopped", {**ONE, "image": "{image}"}, (hangs("vmadm", "get"),)),
        Case(StorageFailed, "stopped", {**ONE, "image": "{image}", **NO_BUCKET}),
        Case(None, "stopped", {**ONE, "image": "{image}"}),
        Case(AlreadyExists, "stopped", {**ONE, "image": "{image}"}),
        Case(
            InvalidState,
            "stopped",
            {**ONE, "image": "{image}", "s3": {"endpoint": "http://127.0.0.1:9", "access_key": "a", "secret_key": "b"}},
            (Sent("snapshot.create", "stopped", ONE),),
            stored=False,
        ),
        Case(
            InsufficientResources,
            "stopped",
            {**ONE, "image": "{image}"},
            (Laid("opt/chunter/var/images", "a file where a folder should be"),),
            stored=False,
        ),
        Case(
            Unsupported,
            "odd",
            {**ONE, "image": "{image}"},
            (Sent("snapshot.create", "odd", ONE), Laid("etc/zones/{odd}.xml", 'brand="ipkg"', 'brand="joyent"')),
            stored=False,
        ),
    ),
    "backup.create": (
        Case(None, "stopped", ONE),
        Case(NotFound, "nobody", ONE),
        Case(AlreadyExists, "stopped", ONE),
        Case(InvalidState, "stopped", {"snapshot": "two", "parent": "never"}),
        Case(InsufficientResources, "stopped", TWO, (fails("zfs", "snapshot", OUT_OF_SPACE),)),
        Case(ToolFailed, "stopped", TWO, (fails("zfs", "send"),)),
        Case(ToolTimeout, "stopped", TWO, (hangs("vmadm", "get"),)),
        *_store(snapshot="three"),
        Case(
            ChecksumMismatch, "stopped", {"snapshot": "four", "parent": "one"}, (Spoilt("{stopped}/one.manifest.json"),)
        ),
    ),
    "backup.restore": (
        Case(None, "stopped", {"snapshot": "two"}, CHAIN),
        Case(AlreadyExists, "stopped", {"snapshot": "two", "as_uuid": "{running}"}),
        Case(InvalidState, "running", {"snapshot": "two"}),
        Case(ToolFailed, "stopped", {"snapshot": "two", "as_uuid": "{another}"}, (fails("zfs", "receive"),)),
        Case(ToolTimeout, "stopped", {"snapshot": "two"}, (hangs("vmadm", "get"),)),
        *_store(snapshot="two"),
        Case(InsufficientResources, "stopped", {"snapshot": "two", "as_uuid": "{another}"}, (Full(),)),
        Case(
            ChecksumMismatch,
            "stopped",
            {"snapshot": "two", "as_uuid": "{another}"},
            (
                Typed(("zfs", "set", "quota=none", "zones")),
                Sent("snapshot.delete", "stopped", {"snapshot": "two"}),
                Spoilt("{stopped}/one"),
            ),
        ),
        Case(
            NoRestorePath,
            "stopped",
            {"snapshot": "two", "as_uuid": "{another}"},
            (Gone("{stopped}/one.manifest.json"),),
        ),
    ),
    "backup.list": (
        Case(None, "stopped"),
        *_store(),
        Case(InvalidState, "stopped", stored=False),
    ),
    "backup.verify": (
        Case(None, "stopped", ONE, CHAIN),
        Case(NotFound, "stopped", {"snapshot": "never"}),
        *_store(snapshot="one"),
        Case(InvalidState, "stopped", ONE, stored=False),
        Case(ToolFailed, "stopped", {**ONE, "level": "restore"}, (fails("zfs", "get"),)),
        Case(ToolTimeout, "stopped", {**ONE, "level": "restore"}, (hangs("zfs", "get"),)),
        Case(InsufficientResources, "stopped", {**ONE, "level": "restore"}, (Full(),)),
        Case(NoRestorePath, "stopped", {"snapshot": "two", "level": "restore"}, (Gone("{stopped}/one.manifest.json"),)),
        Case(ChecksumMismatch, "stopped", {"snapshot": "two"}, (Spoilt("{stopped}/two.manifest.json"),)),
    ),
    "backup.delete": (
        Case(InvalidState, "stopped", {**ONE, "where": "remote"}, CHAIN),
        Case(NotFound, "stopped", {"snapshot": "never"}),
        *_store(snapshot="one", where="both"),
        Case(ToolFailed, "stopped", {"snapshot": "two"}, (fails("zfs", "destroy"),)),
        Case(ToolTimeout, "stopped", {"snapshot": "two"}, (hangs("vmadm", "get"),)),
        Case(None, "stopped", {"snapshot": "two", "where": "both"}),
        Case(ChecksumMismatch, "stopped", {**ONE, "where": "remote"}, (Spoilt("{stopped}/one.manifest.json"),)),
    ),
    "backup.prune": (
        Case(None, "stopped", {"keep": {"last": 1}}, CHAIN),
        Case(
            ToolFailed,
            "stopped",
            {"keep": {"last": 1}, "dry_run": True},
            (Sent("backup.create", "stopped", {"snapshot": "three"}), fails("zfs", "list")),
        ),
        Case(ToolTimeout, "stopped", {"keep": {"last": 1}, "dry_run": True}, (hangs("zfs", "list"),)),
        *_store(keep={"last": 1}),
        Case(InvalidState, "stopped", {"keep": {"last": 1}}, stored=False),
        Case(ChecksumMismatch, "stopped", {"keep": {"last": 1}}, (Spoilt("{stopped}/one.manifest.json"),)),
    ),
    "image.list": (Case(None), *tools("imgadm", "list")),
    "image.import": (
        Case(None, params={"image": ALPINE}),
        Case(NotFound, params={"image": "{nobody}"}),
        Case(NotFound, params={"image": "busybox:latest"}),
        Case(None, params={"image": "busybox"}, before=(Typed(("imgadm", "sources", "--add-docker-hub")),)),
        Case(InsufficientResources, params={"image": MINIMAL}, before=(fails("imgadm", "import", OUT_OF_SPACE),)),
        Case(ToolFailed, params={"image": "{third}"}, before=(fails("imgadm", "import"),)),
        Case(ToolTimeout, params={"image": ALPINE}, before=(hangs("imgadm", "list"),)),
    ),
    "image.delete": (
        Case(NotFound, params={"image": "{nobody}"}),
        Case(InvalidState, params={"image": BASE_IMAGE}, before=(Sent("machine.get", "running"),)),
        *tools("imgadm", "list", params={"image": ALPINE}),
        Case(None, params={"image": ALPINE}, before=(Sent("image.import", params={"image": ALPINE}),)),
    ),
    "service.enable": _services("enable", "disabled"),
    "service.disable": _services("disable"),
    "service.refresh": _services("refresh"),
    "service.restart": _services("restart"),
    "service.clear": _services("clear", "maintenance"),
    "firewall.update": (
        Case(None, "running", RULES),
        Case(NotFound, "nobody", RULES),
        Case(
            Unsupported,
            "running",
            {
                "rules": [
                    {
                        "action": "allow",
                        "direction": "inbound",
                        "protocol": "tcp",
                        "filters": "all",
                        "target": {"network": "x"},
                    }
                ]
            },
        ),
        *tools("fwadm", "list", "running", {"rules": []}),
    ),
    "host.update": (
        Case(None, params={"dry_run": True}),
        Case(NotFound, params={"version": "8.0.0", "dry_run": True}),
        Case(StorageFailed, params={"channel": "dev", "dry_run": True}),
        Case(Unsupported),
        Case(InvalidState, before=(Ill(UPDATER, "disabled"),)),
        *tools("svcs", ""),
    ),
}
