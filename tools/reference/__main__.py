"""`python -m tools.reference [--record] [--check]`: writes the generated regions of docs/, or says which are stale.

A region stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``. ``--record`` plays a real run first and
keeps its examples in docs/examples.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from pathlib import Path

from tools.reference import examples
from tools.reference.tables import REGIONS, Examples

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEPT = DOCS / "examples.json"
_REGION = re.compile(r"(<!-- begin (?P<name>[a-z. ]+) -->\n).*?(<!-- end (?P=name) -->)", re.DOTALL)


def filled(text: str, kept: Examples) -> str:
    """The text of a page with its regions as they should be."""
    return _REGION.sub(lambda found: f"{found[1]}{REGIONS[found['name']](kept)}\n{found[3]}", text)


def stale(*, is_mended: bool) -> list[str]:
    """The names of pages that are not as they should be; with ``is_mended`` they are afterwards."""
    kept = json.loads(KEPT.read_text())
    found = []
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        wanted = filled(text, kept)
        if wanted != text:
            found.append(page.name)
            if is_mended:
                page.write_text(wanted)
    return found


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=__doc__)
    parser.add_argument("--record", action="store_true", help="play a real run first")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when something is stale")
    arguments = parser.parse_args()
    if arguments.record:
        KEPT.write_text(json.dumps(asyncio.run(examples.record()), indent=1) + "\n")
    pages = stale(is_mended=not arguments.check)
    for page in pages:
        print(f"{page} {'is stale: make docs' if arguments.check else 'was written anew'}")
    return 1 if arguments.check and pages else 0


if __name__ == "__main__":
    sys.exit(main())
