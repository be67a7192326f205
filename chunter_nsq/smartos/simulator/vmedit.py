"""Changes to one VM's zone document, each read, edited and written as one step."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator import zonedoc
from chunter_nsq.smartos.simulator.files import read_bytes
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.xmltree import Element, parse, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from chunter_nsq.smartos.simulator.world import World


def document(world: World, name: str) -> Element:
    """The zone's document as it stands."""
    content = read_bytes(world.xml_path(name))
    if content is None:
        raise Refused(f"zonecfg: {name}: No such zone configured")
    return parse(content)


def save(world: World, name: str, root: Element) -> None:
    """Put the document back."""
    world.rewrite(name, render(root))


def set_properties(world: World, name: str, values: Mapping[str, Any]) -> None:
    """Set plain properties; nothing is written when nothing changes."""
    root = document(world, name)
    before = render(root)
    for key, value in values.items():
        zonedoc.set_property(root, key, value)
    if render(root) != before:
        save(world, name, root)


def transition(state: str, target: str, seconds: float) -> str:
    """The mark of a transition under way and when it is overdue."""
    return f"{state}:{target}:{int((time.time() + seconds) * 1000)}"
