"""`python -m tools.demo`: plays the scenes and ends by itself, with 0 when everything was as it should be."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.demo.controller import Controller, Unexpected
from tools.demo.parts import PartMissing
from tools.demo.scenes import SCENES, Scene
from tools.demo.screen import Screen
from tools.demo.world import World

INTERRUPTED = 130
NEXT = """
What next?
  make up             the same world kept running, to send it commands
  README.md           the first of them, word for word
  docs/guide.md       how to write a controller
  docs/operations.md  how to run agents
  make test           what is promised, on real parts"""


async def play(screen: Screen, scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """The scenes; what was sent and heard. Raises Unexpected or PartMissing."""
    screen.say("chunter-nsq: a hypervisor driven through NSQ", "bold")
    screen.say("NSQ, the object store and the agent are real; the SmartOS host is simulated at its command lines.")
    screen.say()
    screen.heads("> command, its answer, # by hand", "events as they are published")
    async with World(store=True) as world:
        try:
            async with Controller(world, screen) as controller:
                for scene in scenes:
                    screen.scene((scene.__doc__ or scene.__name__).removesuffix("."))
                    await scene(controller)
                heard, sent = len(controller.heard), len(controller.sent)
        except Unexpected as fault:
            raise Unexpected(f"{fault}\n\nThe agent's last words:\n{world.last_words()}") from None
        finally:
            screen.close()
    screen.say()
    screen.say(f"All as it should be: {sent} commands, {heard} messages, no gap in any topic.", "bold green")
    screen.say(NEXT)
    return [*controller.sent, *controller.heard]


async def guarded(screen: Screen, scenes: Sequence[Scene] = SCENES) -> tuple[int, list[dict[str, Any]]]:
    """The exit status and the record; SIGTERM ends it as ctrl-C does."""
    task = asyncio.ensure_future(play(screen, scenes))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return 0, await task
    except asyncio.CancelledError:
        screen.say("\nStopped before the end; nothing is left behind.", "bold yellow")
        return INTERRUPTED, []
    except (Unexpected, PartMissing, OSError) as fault:
        screen.say(f"\nThe demo failed: {fault}", "bold red")
        return 1, []


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--record", type=Path, metavar="FILE", help="write commands and messages, one a line")
    arguments = parser.parse_args()
    status, record = asyncio.run(guarded(Screen()))
    if arguments.record is not None and status == 0:
        arguments.record.write_text("".join(f"{json.dumps(one)}\n" for one in record))
    return status


if __name__ == "__main__":
    sys.exit(main())
