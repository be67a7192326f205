"""A group of commands whose help has a whole sentence for each: click alone cuts it off at the end of the line."""

from __future__ import annotations

import click

_LONGEST_SENTENCE = 400


class Overview(click.Group):
    """The class of every group below ``chunter``."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first sentence of each command's help, on as many lines as it takes."""
        commands = self.commands
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, commands[name].get_short_help_str(_LONGEST_SENTENCE)) for name in self.list_commands(ctx)]
            )
