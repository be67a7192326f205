"""The command ``chunter``: names of subcommands, each imported when it is used."""

from __future__ import annotations

import importlib

import click

from chunter_nsq.cli.overview import Overview

# In the order of the help. The module has the command under the same name, but for those in PLACES.
COMMANDS = {
    "run": "Run the agent of this host in the foreground.",
    "status": "Show how the agent of this host does.",
    "doctor": "Check everything that the agent of this host needs, with the remedy for what is wrong.",
    "diag": "Collect what somebody needs to help, in one archive without secrets.",
    "config": "The configuration: its newest form, the faults of a file, what is in effect.",
    "hosts": "List the hosts whose agents answer.",
    "call": "Send a command to a host and wait for its result.",
    "backups": "List the backups in the store.",
    "restore": "Bring a machine back to a backup, or make it anew from one.",
    "verify": "Look whether a backup is what was stored.",
    "tail": "Follow what agents publish.",
    "top": "Show all hosts on a terminal, live.",
    "schema": "The message contract for programs: JSON Schema and AsyncAPI.",
    "setup": "Make what an installation lacks: host id, configuration.",
    "update": "Update this host's agent, and go back when the new one is not well.",
    "simulator": "A SmartOS platform to try things on, in a directory.",
    "version": "Print the version.",
}

# The verbs of earlier agents, for hands that know them.
VERBS = {
    "start": "Start the agent through SMF, now and at every boot.",
    "stop": "Stop the agent through SMF, until it is started again.",
    "restart": "Restart the agent through SMF.",
    "ping": "Ask whether the agent of this host lives.",
    "connections": "List the nsqd that the agent is connected to.",
    "import": "Have the agent of this host import an image.",
    "update_memory": "Print the memory accounting of this host.",
}

# Where a command is that has no module of its own name.
PLACES = {name: ("verbs", name) for name in VERBS} | {"import": ("imports", "import_image")}

EXAMPLES = """\b
Try it without a hypervisor (nsqd on this machine):
  chunter simulator create /tmp/hv1 --zones 3
  mkdir -p /tmp/agent/etc
  echo 'platform_root = /tmp/hv1' > /tmp/agent/etc/chunter.conf
  chunter run --root /tmp/agent
\b
Who is there, and what happens:
  chunter hosts
  chunter tail zone result
\b
Do something:
  chunter call --host smartos01 machine.list
  chunter call --host smartos01 machine.stop --uuid UUID -p force=true
  chunter call --host smartos01 machine.create -p payload=@vm.json
  chunter call --host '*' host.ping --json
\b
chunter COMMAND --help tells more of each.
"""


class LazyGroup(Overview):
    """Knows its commands by name and help line; imports the module of the one that is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names."""
        del ctx
        return [*COMMANDS, *VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself."""
        del ctx
        if cmd_name not in COMMANDS and cmd_name not in VERBS:
            return None
        module, name = PLACES.get(cmd_name, (cmd_name, cmd_name))
        found = getattr(importlib.import_module(f"chunter_nsq.cli.{module}"), name)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        with formatter.section("Verbs for the host itself"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
def chunter() -> None:
    """Drive SmartOS hypervisors through NSQ: the agent, and the tools to talk to agents."""
