"""The simulator's JSON is that of the module ``json``."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunter_nsq.smartos.simulator.jsontext import dumps, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
)


@given(VALUES, st.none() | st.integers(0, 4), st.booleans())
def test_written_and_read_as_json_does(value, indent, ensure_ascii):
    """The same text, on one line or indented, in ASCII or not; and the same value from it, whatever stands around."""
    text = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)

    assert text == dumps(value, indent, ensure_ascii=ensure_ascii)
    assert value == loads(f" \t{text}\r\n")
    assert json.loads(text) == loads(text)
    if ensure_ascii:
        assert value == loads(text.encode())


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_without_end(text):
    """What JSON has no word for is written and read with the words of json."""
    assert text == dumps(loads(text)) == json.dumps(json.loads(text))


@pytest.mark.parametrize(
    "text", ["", " ", "{", "[1,]", '{"a" 1}', "nul", "1 2", "'a'", '"\n"', '"\\ud8"', "\x00", "[1]]"]
)
def test_what_is_no_document(text):
    """Where json finds a fault, there is one."""
    with pytest.raises(ValueError, match=r"\w"):
        json.loads(text)
    with pytest.raises(ValueError, match=r"\w"):
        loads(text)
