"""imgadm: the installed images; importing and the sources have rooms of their own."""

from __future__ import annotations

import json
import os
import re
import time

from chunter_nsq.smartos.simulator.files import names, read_bytes, remove
from chunter_nsq.smartos.simulator.pools import open_pool
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.values import iso

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

FOLDER = "var/imgadm/images"
COLUMNS = "uuid,name,version,os,type,pub"
WIDTHS = {"uuid": 36, "name": 20, "version": 12, "os": 8, "type": 14, "pub": 10}
NOT_INSTALLED = 3
TOLD = re.compile(r"imgadm(?: \S+)?: error \((\w+)\): (.*)", re.DOTALL)


def run(process: Process, pace: Pace) -> int:
    """Do what the arguments say; the exit status. With -E what is refused is told as a record in JSON."""
    try:
        return _run(process, pace, [word for word in process.arguments if word not in ("-v", "-E")])
    except Refused as refusal:
        if "-E" in process.arguments:
            raise Refused(_record(refusal), refusal.status) from refusal
        raise


def _record(refusal: Refused) -> str:
    """A refusal as a line of a log; only tools read it."""
    found = TOLD.fullmatch(refusal.text)
    code, message = (found[1], found[2]) if found else ("InternalError", refusal.text)
    error = {"message": message, "name": f"{code}Error", "code": code, "exitStatus": refusal.status}
    now = iso(time.time())
    record = {"name": "imgadm", "hostname": "smartos01", "pid": os.getpid(), "level": 50, "err": error}
    return json.dumps(record | {"msg": message, "time": now, "v": 0}, ensure_ascii=False)


def _run(process: Process, pace: Pace, words: list[str]) -> int:
    name = words[0] if words else ""
    if name == "import":
        from chunter_nsq.smartos.simulator.commands.imgadm_import import Import  # noqa: PLC0415 - rarely one is imported

        return Import(process, pace, words).run(_asked("import", words[1:]), _installed)
    if name in ("install", "create", "vacuum"):
        from chunter_nsq.smartos.simulator.commands import imgadm_make  # noqa: PLC0415 - rarely one is made

        make = {"install": imgadm_make.install, "create": imgadm_make.create, "vacuum": imgadm_make.vacuum}[name]
        return make(process, words[1:], _installed)
    verb = VERBS.get(name)
    if verb is None:
        raise Refused(f'imgadm: error (UnknownCommand): unknown command: "{name}"')
    return verb(process, words[1:])


def records(root: str) -> list[dict[str, Any]]:
    """The installed images with their clones, by file name."""
    pool = open_pool(root)
    found = []
    folder = f"{root}/{FOLDER}"
    for name in names(folder):
        if not name.endswith(".json"):
            continue
        record: dict[str, Any] = json.loads(read_bytes(f"{folder}/{name}") or b"{}")
        clones = pool.clones(f"{record['zpool']}/{record['manifest']['uuid']}@final")
        found.append(record | {"cloneNames": clones, "clones": len(clones)})
    pool.close()
    return sorted(found, key=lambda one: str(one["manifest"].get("published_at", "")))


def _list(process: Process, words: list[str]) -> int:
    found = filtered(records(process.root), words)
    if "-j" in words:
        process.line(json.dumps(found, indent=2))
        return 0
    table(process, words, found)
    return 0


def table(process: Process, words: list[str], found: list[dict[str, Any]]) -> None:
    """Images in columns."""
    columns = (words[words.index("-o") + 1] if "-o" in words[:-1] else COLUMNS).split(",")
    if "-H" not in words:
        process.line("  ".join(name.upper().ljust(WIDTHS.get(name, 10)) for name in columns).rstrip())
    for one in found:
        process.line("  ".join(_cell(one, name).ljust(WIDTHS.get(name, 10)) for name in columns).rstrip())


def filtered(found: list[dict[str, Any]], words: list[str]) -> list[dict[str, Any]]:
    """Those that every filter of the command line lets through."""
    for word in words:
        if "=" in word and not word.startswith("-"):
            key, _, value = word.partition("=")
            found = [one for one in found if _matches(str(one["manifest"].get(key, "")), value)]
    return found


def _matches(value: str, wanted: str) -> bool:
    return wanted[1:] in value if wanted.startswith("~") else value == wanted


def _cell(record: dict[str, Any], name: str) -> str:
    manifest = record["manifest"]
    if name == "pub":
        return str(manifest.get("published_at", "-"))[:10]
    return str(manifest.get(name, record.get(name, "-")))


def _find(process: Process, verb: str, uuid: str) -> dict[str, Any]:
    for record in records(process.root):
        if record["manifest"]["uuid"] == uuid:
            return record
    text = f'imgadm {verb}: error (ImageNotInstalled): image "{uuid}" was not found on zpool "zones"'
    raise Refused(text, NOT_INSTALLED)


def _word(verb: str, words: list[str]) -> str:
    """The one word that is no option."""
    values = ("-P", "-S", "-o")
    names = [
        word for at, word in enumerate(words) if not word.startswith("-") and (at == 0 or words[at - 1] not in values)
    ]
    if not names:
        raise Refused(f"imgadm {verb}: error (UsageError): incorrect number of args")
    return names[0]


def _uuid(verb: str, words: list[str]) -> str:
    uuid = _word(verb, words)
    if len(uuid) != 36 or uuid.count("-") != 4:  # noqa: PLR2004 - the form of a UUID
        raise Refused(f'imgadm {verb}: error (InvalidUUID): invalid uuid: "{uuid}"')
    return uuid


def _asked(verb: str, words: list[str]) -> str:
    """An image that need not be there: its uuid, or the name of a docker one."""
    from chunter_nsq.smartos.simulator.commands.imgadm_offers import UUID  # noqa: PLC0415 - rarely one is asked for
    from chunter_nsq.smartos.simulator.docker import parsed  # noqa: PLC0415

    asked = _word(verb, words)
    if UUID.fullmatch(asked) or parsed(asked) is not None:
        return asked
    raise Refused(f"imgadm {verb}: error (Usage): invalid image-id arg: {json.dumps(asked)}")


def _get(process: Process, words: list[str]) -> int:
    record = _find(process, "get", _uuid("get", words))
    process.line(json.dumps({key: record[key] for key in ("manifest", "zpool", "source") if key in record}, indent=2))
    return 0


def _delete(process: Process, words: list[str]) -> int:
    uuid = _uuid("delete", words)
    record = _find(process, "delete", uuid)
    if record["clones"]:
        names = ", ".join(record["cloneNames"])
        raise Refused(f'imgadm delete: error (ImageHasDependentClones): image "{uuid}" has dependent clones: {names}')
    pool = open_pool(process.root)
    with pool:
        pool.remove(f"{record['zpool']}/{uuid}")
    pool.close()
    remove(process.path(FOLDER, f"{record['zpool']}-{uuid}.json"))
    process.line(f"Deleted image {uuid}")
    return 0


def _installed(root: str) -> dict[str, dict[str, Any]]:
    return {record["manifest"]["uuid"]: record for record in records(root)}


def _show(process: Process, words: list[str]) -> int:
    """The manifest of an image that a source has."""
    from chunter_nsq.smartos.simulator.commands.imgadm_offers import find  # noqa: PLC0415 - rarely somebody asks

    asked = _asked("show", words)
    offer = find(process.root, "show", asked)
    installed = _installed(process.root)
    if offer is None and asked not in installed:
        text = f'an active image "{asked}" was not found in image sources'
        raise Refused(f"imgadm show: error (ActiveImageNotFound): {text}")
    process.line(json.dumps(installed[asked]["manifest"] if offer is None else offer.manifest, indent=2))
    return 0


def _elsewhere(verb: str) -> Callable[[Process, list[str]], int]:
    def go(process: Process, words: list[str]) -> int:
        from chunter_nsq.smartos.simulator.commands import imgadm_sources  # noqa: PLC0415 - rarely somebody asks

        return (imgadm_sources.avail if verb == "avail" else imgadm_sources.sources)(process, words)

    return go


VERBS: dict[str, Callable[[Process, list[str]], int]] = {
    "list": _list, "get": _get, "info": _get, "show": _show, "delete": _delete,
    "sources": _elsewhere("sources"), "avail": _elsewhere("avail"),
}  # fmt: skip
