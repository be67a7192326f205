"""A group of commands: its help has a whole sentence for each, and a mistyped one is answered with what was meant.

Click alone cuts the sentences off at the end of the line, and its older releases propose nothing.
"""

from __future__ import annotations

import click

from chunter_nsq.mistyped import meant

_LONGEST_SENTENCE = 400


class Overview(click.Group):
    """The class of every group, ``chunter`` among them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises UsageError, which says what may have been meant."""
        names = self.list_commands(ctx)
        if args[0] not in names and (hint := meant(args[0], names)):
            ctx.fail(f"No such command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first sentence of each command's help, on as many lines as it takes."""
        commands = self.commands
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, commands[name].get_short_help_str(_LONGEST_SENTENCE)) for name in self.list_commands(ctx)]
            )
