"""Rule text to tokens, each with the column at which it ends."""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.firewall.fault import RuleFault
from chunter_nsq.smartos.simulator.firewall.quoting import unescaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WORD, STRING, IPV4, IPV6, CIDR, EOF = "WORD", "STRING", "IPV4ADDR", "IPV6ADDR", "CIDRSUFFIX", "EOF"
# Every kind of token, in the order in which a message lists what could have stood in a place.
ORDER = (
    "FROM", "TO", EOF, "PRIORITY", WORD, "(", ")", "OR", "ALL", "VMS", "ANY", "IP", IPV4, "SUBNET", CIDR, IPV6, "VM",
    "TAG", "=", STRING, "BLOCK", "ALLOW", "TCP", "UDP", "ICMP", "ICMP6", "AH", "ESP", "AND", "PORT", "PORTS", "-", ",",
    "TYPE", "CODE",
)  # fmt: skip
# Messages write these in small letters.
SMALL = frozenset({"ALL", "ANY", "IP", "SUBNET", "TAG", "VM"})
KEYWORDS = [kind for kind in ORDER if kind.isalnum() and kind not in (WORD, STRING, IPV4, IPV6, CIDR, EOF)]
BLANK = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
# Tried in this order; the first that matches is taken, not the longest. A keyword is all large or all small.
PATTERN = re.compile(
    rf"(?P<blank>[{BLANK}]+)"
    rf"|(?P<keyword>(?:{'|'.join(f'{word}|{word.lower()}' for word in KEYWORDS)})\b)"
    r"|(?P<mark>[-,=()])"
    r'|(?P<STRING>"(?:\\["bfnrt/()\\]|\\u[a-fA-F0-9]{4}|[^"\\])*")'
    r"|(?P<IPV4ADDR>[0-9]{1,3}(?:\.[0-9]{1,3}){3})"
    r"|(?P<IPV6ADDR>[0-9a-f]*:[0-9a-f]*:[:0-9a-f]*)"
    r"|(?P<CIDRSUFFIX>/[0-9]{1,3})"
    r"|(?P<WORD>[-a-zA-Z0-9_]+)",
    re.ASCII,
)
NEWLINE = re.compile(r"\r\n?|\n")
LINE_END = re.compile("[\n\r\u2028\u2029]")
SHOWN = 20


class Token:
    """One token: its kind, its text as written, the column where it ends, and for a string what it means."""

    __slots__ = ("column", "kind", "text", "value")

    def __init__(self, kind: str, text: str, column: int) -> None:
        self.kind = kind
        self.text = text
        self.column = column
        self.value = unescaped(text[1:-1]) if kind == STRING else text


class Stream:
    """The tokens of a text, read one ahead; the text behind that one is not looked at yet."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._scanned = 0
        self._ahead: Token | None = None
        self._column = 0

    def expect(self, kinds: Iterable[str]) -> Token:
        """The next token, which stays where it is; it must be of one of these kinds."""
        if self._ahead is None:
            self._ahead = self._scan()
        token = self._ahead
        if token.kind not in kinds:
            wanted = ", ".join(f"'{_shown(kind)}'" for kind in ORDER if kind in kinds)
            found = "word" if token.kind == WORD else token.kind
            raise RuleFault(f"Error at character {self._column}: '{token.text}', expected: {wanted}, found: {found}")
        return token

    def take(self, kinds: Iterable[str]) -> Token:
        """The next token, which must be of one of these kinds; the one behind it is next then."""
        token = self.expect(kinds)
        self._ahead = None
        self._column = token.column
        return token

    def _scan(self) -> Token:
        while True:
            if self._at == len(self._text):
                return Token(EOF, "", self._scanned)
            match = PATTERN.match(self._text, self._at)
            if match is None:
                raise self._unreadable()
            text, kind = match[0], str(match.lastgroup)
            self._at = match.end()
            self._scanned = _column_after(self._scanned, text)
            if kind != "blank":
                return Token({"keyword": text.upper(), "mark": text}.get(kind, kind), text, self._scanned)

    def _unreadable(self) -> RuleFault:
        past = self._text[max(0, self._at - SHOWN) : self._at].replace("\n", "")
        column = len(past) + (3 if self._at > SHOWN else 0)
        rest = self._text[self._at : self._at + SHOWN].replace("\n", "")
        return RuleFault(f"Error at character {column}: '{rest}', found: unexpected text")


def _shown(kind: str) -> str:
    return kind.lower() if kind in SMALL else kind


def _column_after(column: int, text: str) -> int:
    """Columns start again behind a line's end."""
    line = 0
    for newline in NEWLINE.finditer(text):
        line = newline.end()
    if not line:
        return column + len(text)
    return len(LINE_END.split(text[line:], maxsplit=1)[0])
