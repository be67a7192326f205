"""What somebody meant who mistyped a name: the closing words of the sentence that says so."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable


def meant(name: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    """``did you mean X?``, X being the name nearest to this one, as it is ``shown``; nothing when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {shown(near[0])}?" if near else ""
