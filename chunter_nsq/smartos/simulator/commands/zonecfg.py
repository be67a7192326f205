"""zonecfg: a zone's document shown, written as a script, changed, made and deleted."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.commands.options import Unknown, take
from chunter_nsq.smartos.simulator.files import Lock, read_bytes
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import World
from chunter_nsq.smartos.simulator.xmltree import Element, parse, render
from chunter_nsq.smartos.simulator.zonescript import GLOBAL, RESOURCES, Editor, Fault, statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

USAGE = """\
usage:	zonecfg help
	zonecfg {-z <zone>|-u <uuid>}
	zonecfg {-z <zone>|-u <uuid>} <command>
	zonecfg {-z <zone>|-u <uuid>} -f <command-file>"""
LAST = ("exit", "commit", "verify", "revert", "help")


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    try:
        found, words = take(process.arguments, "z:u:f:R:")
    except Unknown as fault:
        raise Refused(f"zonecfg: illegal option -- {fault}\n{USAGE}", 2) from fault
    options = dict(found)
    name = options.get("u") or options.get("z")
    if words[:1] == ["help"]:
        process.line(USAGE)
        return 0
    if not name:
        raise Refused(USAGE, 2)
    if name == "global":
        raise Refused("zonecfg: global zone cannot be configured here")
    with Lock(process.path("var/run/zones", f"{name}.zonecfg.lock")):
        try:
            _Session(process, name, by_uuid="u" in options).run(_script(process, options, words))
        except Fault as fault:
            raise Refused(str(fault)) from fault
    return 0


def _script(process: Process, options: dict[str, str], words: list[str]) -> str:
    if words:
        return " ".join(words)
    if "f" not in options or options["f"] == "-":
        return process.stdin().decode("utf-8", "replace")
    content = read_bytes(options["f"])
    if content is None:
        raise Refused(f"could not open file {options['f']}: No such file or directory")
    return content.decode("utf-8", "replace")


class _Session:
    """One zone and the script that is followed; what was changed is kept when the script comes to its end."""

    def __init__(self, process: Process, name: str, *, by_uuid: bool) -> None:
        self._process = process
        self._world = World(process.root)
        self._zone = self._world.zone(name)
        self._name = name if self._zone is None else self._zone.name
        self._by_uuid = by_uuid
        self._editor: Editor | None = None
        content = read_bytes(self._world.xml_path(self._name)) if self._zone else None
        self._before = content or b""
        if content is not None:
            self._editor = Editor(parse(content))

    def run(self, script: str) -> None:
        for statement in statements(script):
            verb, _, rest = statement.partition(" ")
            if verb == "create":
                self._create(rest.split())
            elif verb == "delete":
                self._delete(rest.split())
                return
            elif self._editor is None:
                raise Fault(f"{self._name}: No such zone configured")
            elif verb in ("info", "export"):
                self._show(verb, rest.split(), self._editor.root)
            elif verb == "exit":
                break
            elif verb not in LAST:
                self._editor.follow(verb, rest)
        self._commit()

    def _create(self, words: list[str]) -> None:
        if self._zone is not None and "-F" not in words:
            raise Fault(f"Zone {self._name} already exists; create not allowed.")
        if self._by_uuid:
            raise Fault(f"{self._name}: No such zone configured")
        attributes = {"name": self._name, "zonepath": "", "autoboot": "false"}
        if "-b" not in words:
            attributes |= {"brand": "joyent", "ip-type": "exclusive"}
        self._editor = Editor(Element("zone", attributes))

    def _delete(self, words: list[str]) -> None:
        if self._zone is None:
            raise Fault(f"{self._name}: No such zone configured")
        if self._zone.state != "configured":
            raise Fault(f"Zone {self._name} already installed; delete not allowed.")
        if "-F" not in words:
            raise Fault("Input not from terminal and -F not specified:\ndelete command ignored, exiting.")
        self._world.forget(self._name)

    def _commit(self) -> None:
        if self._editor is None:
            return
        root = self._editor.root
        if self._zone is None:
            if not root.attributes.get("zonepath"):
                raise Fault("zonepath cannot be empty.")
            root.attributes.setdefault("debugid", str(self._world.debugid()))
            self._world.configure(self._name, render(root), root.attributes["zonepath"], self._editor.uuid or "")
        elif render(root) != render(parse(self._before)):
            self._world.rewrite(self._name, render(root))

    def _show(self, verb: str, words: list[str], root: Element) -> None:
        lines = _info(root) if verb == "info" else _export(root)
        if verb == "info" and words:
            lines = _chosen(lines, words[0])
        for line in lines:
            self._process.line(line)


def _chosen(lines: Iterator[str], wanted: str) -> Iterator[str]:
    is_inside = False
    for line in lines:
        if not line.startswith("\t"):
            is_inside = line.strip("[").partition(":")[0] == wanted
        if is_inside:
            yield line


def _info(root: Element) -> Iterator[str]:
    yield f"zonename: {root.attributes.get('name', '')}"
    for name in GLOBAL:
        yield f"{name}: {root.attributes.get(name, '')}".rstrip(" ") if name in root.attributes else f"{name}: "
    for kind, (tag, names) in RESOURCES.items():
        for one in root.all(tag):
            yield f"{kind}:"
            for name, attribute in names.items():
                value = one.attributes.get(attribute)
                yield f"\t{name} not specified" if value is None else f"\t{name}: {value}"
            yield from _details(one)


def _details(one: Element) -> Iterator[str]:
    options = [child.attributes.get("name", "") for child in one.all("fsoption")]
    if one.tag == "filesystem":
        yield f"\toptions: [{','.join(options)}]"
    for child in one.all("net-attr"):
        yield f'\tproperty: (name={child.attributes.get("name")},value="{child.attributes.get("value")}")'
    for child in one.all("rctl-value"):
        yield f"\tvalue: ({','.join(f'{name}={value}' for name, value in child.attributes.items())})"


def _export(root: Element) -> Iterator[str]:
    yield "create -b"
    for name in GLOBAL:
        if root.attributes.get(name):
            value = root.attributes[name]
            yield f'set {name}="{value}"' if "," in value or " " in value else f"set {name}={value}"
    for kind, (tag, names) in RESOURCES.items():
        for one in root.all(tag):
            yield f"add {kind}"
            for name, attribute in names.items():
                if attribute in one.attributes:
                    yield f'set {name}="{one.attributes[attribute]}"'
            for line in _details(one):
                noun, _, value = line.strip().partition(": ")
                if value != "[]":
                    yield f"add {noun} {value}"
            yield "end"
