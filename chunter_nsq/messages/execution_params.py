"""The parameters of machine.execute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from chunter_nsq.messages.fields import Flag, Text, Texts, Whole

EXECUTE_SECONDS = 60
_WORD_CHARACTERS = 64 * 1024
_STDIN_CHARACTERS = 512 * 1024


def _is_word(text: str) -> bool:
    return "\0" not in text


@dataclass(frozen=True, slots=True)
class Execution:
    """A program with its arguments, what it reads on standard input, and after how many seconds it is ended."""

    argv: Annotated[
        tuple[str, ...], Texts(Text(accepts=_is_word, form="text without NUL", size_limit=_WORD_CHARACTERS), most=256)
    ]
    timeout: Annotated[int, Whole(least=1, most=3600)] = EXECUTE_SECONDS
    stdin: Annotated[str, Text(form="text that is not empty", size_limit=_STDIN_CHARACTERS)] = ""
    dry_run: Annotated[bool, Flag()] = False
