"""The log: one line a record on standard error, which SMF keeps; as JSON, or as text for eyes; without secrets.

Responsibilities: the form of a line, the id of the command that a line belongs to, and the scrubbing of secrets for
the log and for error reports alike.

Theory: a record's message is a dotted event name, its facts are ``extra`` fields. The command is not passed along;
it is read from the context variable that is set while a command runs, so that every line of every module under it
carries it. Secrets are found by value (those of the configuration), by the name of the field that holds them, and by
the shape ``name=value`` inside text.

Not promised: a secret that nobody registered, standing in the middle of a sentence, is not found.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import quote

STARS = "***"
SHORTEST_SECRET = 4  # what is shorter would star ordinary words
LONGEST_TEXT = 16384
DEEPEST = 12

# Quantifiers are bounded: what is scrubbed may come from a stranger.
_STEM = r"(?:secret|passw|passphrase|access_?key|private_?key|api_?key|hmac|shadow|authorization|token)"
_LAST = r"(?<![A-Za-z0-9])(?:pw|dsn)"
_NAMED = re.compile(rf".*{_STEM}.*|(?:.*(?=[_.-]))?[_.-]?{_LAST}", re.IGNORECASE | re.DOTALL)
_WRITTEN = re.compile(
    rf"((?:{_STEM}[\w.-]{{0,40}}|{_LAST})\\?[\"']?\s{{0,4}}[=:]\s{{0,4}})"  # the name, perhaps quoted, and = or :
    r"(?:(?:bearer|basic)\s+)?"
    r"(?:\\[\"'](?:(?!\\[\"']).)*(?:\\[\"'])?"  # the value: quoted inside a quotation,
    r"|(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?P=quote)?"  # or quoted,
    r"|[^\s\"',;&}\])]+)",  # or bare
    re.IGNORECASE | re.DOTALL,
)
_USER_IN_URL = re.compile(r"(\w://)[^/\s@]+@")
_LINE = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029]*")
_WORD = re.compile(r"[^\s\"'=\x00-\x1f\x7f]+")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "command"}


class Scrubber:
    """Stars secrets in text and in data."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._values: re.Pattern[str] | None = None
        self.register(*secrets)

    def register(self, *secrets: str) -> None:
        """Star these values from now on, wherever they stand, also as JSON, Python and URLs write them."""
        for secret in secrets:
            if len(secret) >= SHORTEST_SECRET:
                forms = (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret), quote(secret, safe=""))
                self._secrets.update(forms)
        if self._secrets:
            longest_first = sorted(self._secrets, key=lambda form: (-len(form), form))
            self._values = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """A text without secrets."""
        if self._values is not None:
            text = self._values.sub(STARS, text)
        return _USER_IN_URL.sub(rf"\1{STARS}@", _WRITTEN.sub(rf"\1{STARS}", text))

    def data(self, value: Any, depth: int = 0) -> Any:
        """The same data, ready for JSON, without secrets; what JSON does not know is written out as text."""
        if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if isinstance(value, Mapping) and depth < DEEPEST:
            return {self.text(str(key)): self._member(key, member, depth) for key, member in value.items()}
        if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
            return [self.data(member, depth + 1) for member in value]
        return self._shortened(value.decode(errors="replace") if isinstance(value, bytes) else str(value))

    def _member(self, key: object, value: Any, depth: int) -> Any:
        if value not in (None, "", STARS) and isinstance(key, str) and _NAMED.fullmatch(key):
            return STARS
        return self.data(value, depth + 1)

    def _shortened(self, text: str) -> str:
        if len(text) <= LONGEST_TEXT:
            return self.text(text)
        # A secret across the cut is found whole before anything is cut.
        return f"{self.text(text[: 2 * LONGEST_TEXT])[:LONGEST_TEXT]}... ({len(text)} characters)"


class Lines(logging.Formatter):
    """What JSON and text lines have in common: the facts of a record, scrubbed."""

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__()
        self._scrubber = scrubber

    def facts(self, record: logging.LogRecord) -> dict[str, Any]:
        """Every member of the line, in its order."""
        facts: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        if (command := getattr(record, "command", None)) is not None:
            facts["command"] = command
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                facts[f"{name}_" if name in facts else name] = value
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            facts["stack"] = record.stack_info
        scrubbed: dict[str, Any] = self._scrubber.data(facts)
        return scrubbed


class JsonLines(Lines):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        return json.dumps(self.facts(record), ensure_ascii=False, allow_nan=False)


class TextLines(Lines):
    """``time LEVEL event name=value ...``; values with blanks are quoted, so that a record stays one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        facts = self.facts(record)
        head = f"{facts.pop('time')} {facts.pop('level').upper():<7} {_word(facts.pop('event'), _LINE)}"
        return " ".join((head, *(f"{name}={_word(value, _WORD)}" for name, value in facts.items())))


def _word(value: Any, plain: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and plain.fullmatch(value) else json.dumps(value, ensure_ascii=False)


class CommandFilter(logging.Filter):
    """Puts the id of the running command on every record."""

    def __init__(self, context: ContextVar[str | None]) -> None:
        super().__init__()
        self._context = context

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; a command that the record names itself stays."""
        if getattr(record, "command", None) is None:
            record.command = self._context.get(None)
        return True


class LogHandler(logging.StreamHandler[TextIO]):
    """The agent's handler, known by its type so that a second set-up replaces the first."""


def configure(
    level: str = "info",
    form: str = "json",
    stream: TextIO | None = None,
    context: ContextVar[str | None] | None = None,
    scrubber: Scrubber | None = None,
) -> LogHandler:
    """Send all records to ``stream`` (standard error), ``form`` json or text; replaces an earlier set-up."""
    scrubber = scrubber or Scrubber()
    handler = LogHandler(stream or sys.stderr)
    handler.setFormatter(TextLines(scrubber) if form == "text" else JsonLines(scrubber))
    if context is not None:
        handler.addFilter(CommandFilter(context))
    remove()
    logging.getLogger().addHandler(handler)
    set_level(level)
    return handler


def remove() -> None:
    """Take away what configure() set up."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, LogHandler)]:
        root.removeHandler(handler)


def set_level(level: str) -> None:
    """Change the level at run time; libraries that put credentials into their debug lines stay at warning."""
    logging.getLogger().setLevel(level.upper())
    for library in ("boto3", "botocore", "s3transfer", "urllib3", "sentry_sdk", "asyncio", "tornado.access"):
        logging.getLogger(library).setLevel(logging.WARNING)
