from __future__ import annotations

import re
from pathlib import Path

import pytest

from chunter_nsq.config import Config, ConfigInvalid

FILES = sorted((Path(__file__).parent / "invalid").glob("*.conf"))


def stated(content: bytes) -> list[str]:
    """The reasons at the head of a file: ``# <line>: <fault>``."""
    lines = content.decode(errors="replace").splitlines()
    return [line[2:] for line in lines if re.match(r"# [0-9]+: ", line)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_invalid_file_is_refused_for_all_its_stated_reasons_and_no_other(file):
    """The faults of a file are exactly those its first lines state, each with its line."""
    content = file.read_bytes()

    with pytest.raises(ConfigInvalid) as refused:
        Config.read(content, file.name)

    assert stated(content) == [f"{fault.line}: {fault.text}" for fault in refused.value.faults]


def test_the_text_of_a_refusal_has_one_line_a_fault_in_the_form_of_compilers():
    """An editor can jump from the message to the line."""
    with pytest.raises(ConfigInvalid) as refused:
        Config.read(b"a = 1\n\nb = 2\n", "/etc/chunter.conf")

    assert ["/etc/chunter.conf:1", "/etc/chunter.conf:3"] == [
        ":".join(line.split(":")[:2]) for line in str(refused.value).splitlines()
    ]


@pytest.mark.parametrize(
    "line",
    ["sentry.dsn = hunter2secret", "sentry.dsn = https://hunter2secret@host", "nsq.auth_secret = @hunter2secret"],
)
def test_a_refusal_does_not_repeat_a_secret(line):
    """What is wrong with a secret is said without its value."""
    with pytest.raises(ConfigInvalid) as refused:
        Config.read(line.encode())

    assert "hunter2" not in str(refused.value)
