from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunter_nsq.smartos.fields import records, split_fields


@pytest.mark.parametrize(
    ("line", "escaped", "fields"),
    [
        ("a:b::c", ":\\", ("a", "b", "", "c")),
        ("", ":\\", ("",)),
        (":", ":\\", ("", "")),
        (r"igb0:0\:25\:90\:c0\:d\:f2:yes", ":\\", ("igb0", "0:25:90:c0:d:f2", "yes")),
        (r"a\\:b", ":\\", ("a\\", "b")),
        (r"/zones/a\:b:x", ":", ("/zones/a:b", "x")),
        (r"/zones/a\b:x", ":", (r"/zones/a\b", "x")),
        ("trailing\\", ":\\", ("trailing\\",)),
    ],
)
def test_splitting_of_fields(line: str, escaped: str, fields: tuple[str, ...]):
    """A separator after a backslash is plain text, and other backslashes stay."""
    assert fields == split_fields(line, escaped=escaped)


@given(st.lists(st.text(alphabet="ab:\\ é"), min_size=2))
def test_fields_survive(fields: list[str]):
    """What was escaped as dladm does it comes back as it was."""
    line = ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields)

    assert tuple(fields) == split_fields(line)


def test_records():
    """Only a line feed ends a record, and empty ones are none."""
    assert ("a", "b\u2028c\x0b", "d") == records("a\n\nb\u2028c\x0b\nd")
