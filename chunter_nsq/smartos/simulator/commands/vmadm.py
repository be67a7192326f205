"""vmadm: the subcommands and the reading of their arguments."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

    Verb = Callable[[Process, Pace, list[str]], int]

USAGE = """\
Usage: vmadm <command> [options]

create [-f <filename>]
create-snapshot <uuid> <snapname>
console <uuid>
delete <uuid>
delete-snapshot <uuid> <snapname>
events [-fjr] [uuid]
get <uuid>
info <uuid> [type,...]
install <uuid>
kill [-s SIGNAL|-SIGNAL] <uuid>
list [-p] [-H] [-o field,...] [-s field,...] [field=value ...]
lookup [-j|-1] [-o field,...] [field=value ...]
reboot <uuid> [-F]
receive [-f <filename>]
reprovision <uuid> [-f <filename>]
rollback-snapshot <uuid> <snapname>
send <uuid> [target]
start <uuid> [option=value ...]
stop <uuid> [-F] [-t timeout]
sysrq <uuid> <nmi|screenshot>
update <uuid> [-f <filename>]
 -or- update <uuid> property=value [property=value ...]
validate create [-f <filename>]
validate update <brand> [-f <filename>]
"""
ALIASES = {"boot": "start", "halt": "stop", "destroy": "delete", "json": "get", "recv": "receive"}
# What SmartOS has beside these. Nothing here calls them, and their bundles are of no use without another SmartOS.
ABSENT = ("send", "receive", "install", "reprovision")
# The option of a verb that takes the next word.
VALUED = {"stop": "-t", "update": "-f", "reprovision": "-f"}
MODULES = {
    "get": "vmadm_show", "list": "vmadm_list", "lookup": "vmadm_list", "info": "vmadm_show", "events": "vmadm_events",
    "create": "vmadm_create", "update": "vmadm_update", "validate": "vmadm_validate", "start": "vmadm_power",
    "stop": "vmadm_power", "reboot": "vmadm_power", "kill": "vmadm_power", "sysrq": "vmadm_power",
    "delete": "vmadm_delete",
    "create-snapshot": "vmadm_snapshots", "delete-snapshot": "vmadm_snapshots", "rollback-snapshot": "vmadm_snapshots",
    "console": "vmadm_show",
}  # fmt: skip


def run(process: Process, pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    words = [word for word in process.arguments if word not in ("-v", "-d")]
    if not words or words[0] in ("help", "-h", "-?"):
        if words:
            process.out(USAGE)
            return 0
        raise Refused(USAGE, 2)
    verb = ALIASES.get(words[0], words[0])
    if verb in ABSENT:
        raise Refused(f"vmadm {verb} is not simulated: the agent moves machines as ZFS streams")
    if verb not in MODULES:
        raise Refused(f'Invalid command: "{words[0]}".\n{USAGE}' if words[0] else USAGE, 2)
    module = __import__(f"chunter_nsq.smartos.simulator.commands.{MODULES[verb]}", fromlist=["VERBS"])
    play: Verb = module.VERBS[verb]
    return play(process, pace, words[1:])


def take_uuid(verb: str, words: list[str]) -> str:
    """The first word that is neither an option nor an option's value, which must have the form of a UUID."""
    option, before = VALUED.get(verb), ["", *words]
    plain = (at for at, word in enumerate(words) if not word.startswith("-") and before[at] != option)
    at = next(plain, None)
    uuid = "" if at is None else words[at]
    if len(uuid) != 36 or any(uuid[dash] != "-" for dash in (8, 13, 18, 23)):  # noqa: PLR2004 - the form of a UUID
        raise Refused(f"Invalid or missing UUID for {verb}\n{USAGE}", 2)
    words.remove(uuid)
    return uuid
