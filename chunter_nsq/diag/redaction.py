"""Takes secrets out of text: those that are known by value, by the name before them, and by their shape.

Responsibilities: gathers every secret that this host knows (configuration, files it names, keys of commands, the
environment, commands that wait in the journal, metadata of machines), and stars each of them in whatever goes into
the archive.

Theory: nothing that holds metadata or whole commands is put into the archive at all. What is gathered is for secrets
that got out of there: into a log line, a tool's words, the name of a file.

Not promised: a secret that this host does not hold and that stands in a log without a name before it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from chunter_nsq.config import KEYS
from chunter_nsq.config.environment import secret_values
from chunter_nsq.doctor.patient import Patient
from chunter_nsq.logs import STARS, Scrubber
from chunter_nsq.smartos.stars import is_secret, secrets_of

_SHORTEST = 6  # of values whose names say nothing: a shorter one would star ordinary words
_SHORTEST_LINE = 16
_WORD = re.compile(r"[^\s\"'`=:,;(){}\[\]<>]{12,}")  # inside a script or a URL
_MOST = 20_000
_METADATA = frozenset({"customer_metadata", "internal_metadata"})
_HASH = re.compile(r"\$[0-9a-zA-Z]{1,12}\$[^\s\"']{8,}")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_LARGEST_FILE_BYTES = 2**20


class Redactor:
    """Text in, text without secrets out."""

    def __init__(self, named: Iterable[str], values: Iterable[str]) -> None:
        """``named`` are secrets for sure, ``values`` may be ordinary words when they are short."""
        self._scrubber = Scrubber(named)
        forms = {form for value in values for form in _forms(value)}
        self._values = sorted(forms, key=lambda form: (-len(form), form))

    @classmethod
    def of(cls, patient: Patient) -> Redactor:
        """One that knows the secrets of a host."""
        values = islice((*_journalled(patient.paths.database), *_metadata(patient.platform)), _MOST)
        named = (*patient.config.secrets(), *_written(patient.paths.config), *_keys(patient), *secret_values())
        return cls(named, (*values, *filter(None, map(_user_of, named))))

    def text(self, text: str) -> str:
        """The same without secrets."""
        for form in self._values:
            text = text.replace(form, STARS)
        return self._scrubber.text(_HASH.sub(STARS, _PEM.sub(STARS, text)))

    def data(self, value: Any) -> Any:
        """The same for a JSON document."""
        return json.loads(self.text(json.dumps(self._scrubber.data(value))))


def _forms(value: str) -> Iterator[str]:
    """A value as text and as JSON writes it, its long lines, and words in it that look made up by a machine."""
    if len(value) < _SHORTEST:
        return
    yield value
    yield json.dumps(value)[1:-1]
    if "\n" in value:
        yield from (line for line in map(str.strip, value.splitlines()) if len(line) >= _SHORTEST_LINE)
    yield from (word for word in _WORD.findall(value) if re.search(r"\d", word) and re.search(r"[A-Za-z]", word))


def _user_of(secret: str) -> str:
    """What stands before the host when a secret is a URL: of a DSN that is the key."""
    scheme, _, rest = secret.partition("://")
    return rest.rpartition("@")[0] if scheme and "@" in rest else ""


def _written(config: Path) -> Iterator[str]:
    """What stands behind secret keys in the file, good or not, also in lines that are commented out."""
    secret = {key.name for key in KEYS.values() if key.secret} | {"distributed_cookie"}
    for line in _lines(config):
        name, _, value = line.lstrip("# \t").partition("=")
        if name.strip() not in secret and not is_secret(name, value):
            continue
        value = value.strip()
        yield value
        if value.startswith("@"):
            yield from ("\n".join(_lines(Path(value[1:]))).strip(),)


def _keys(patient: Patient) -> frozenset[str]:
    if not patient.config.command_keys:
        return frozenset()
    file = Path(patient.config.command_keys)
    try:
        return secrets_of(json.loads("\n".join(_lines(file))))
    except ValueError:
        return frozenset(re.findall(r"[^\s\"':,{}]{8,}", "\n".join(_lines(file))))  # broken: all words of it


def _journalled(database: Path) -> Iterator[str]:
    """Secrets in commands that have no end yet; the others are forgotten already."""
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT document FROM commands WHERE document != ''").fetchall()
    except sqlite3.Error:
        return  # the archive tells that it is broken
    for (document,) in rows:
        yield from _hidden(json.loads(document))


def _metadata(platform: Path) -> Iterator[str]:
    """What machines were told by their owners."""
    for file in (platform / "zones").glob("*/config/metadata.json"):
        try:
            yield from _hidden(json.loads("\n".join(_lines(file))))
        except ValueError:
            continue


def _hidden(node: Any) -> Iterator[str]:
    """The texts below secret members and below metadata, at any depth."""
    yield from secrets_of(node)
    pending = [node]
    while pending:
        one = pending.pop()
        for name, value in one.items() if isinstance(one, Mapping) else enumerate(one):
            if name in _METADATA:
                yield from _texts(value)
            elif isinstance(value, Mapping | list):
                pending.append(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(one)


def _lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST_FILE_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
