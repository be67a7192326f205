from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunter_nsq.cli.params import ParamsInvalid, read

NAMES = st.text("abcdefgh_", min_size=1, max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def test_nothing_given_is_no_parameters():
    """Absent is not the same as empty."""
    assert read([]) is None
    assert {} == read([], "{}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("512", 512),
        ("s1", "s1"),
        ("", ""),
        ("a=b", "a=b"),
        ('"2024"', "2024"),
        ("[1]", [1]),
        ('{"a": 1}', {"a": 1}),
        ("{half", "{half"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("@@home", "@home"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_value_is_json_when_it_can_be_read_so(text, value):
    """What is no JSON, or none that JSON can carry on, stays text."""
    assert {"k": value} == read([f"k={text}"])


def test_a_file_gives_its_content(tmp_path):
    """JSON or text, as for a value that is typed."""
    (tmp_path / "a.json").write_text('{"ram": 512}')
    (tmp_path / "b.txt").write_text("two\nlines\n")
    expected = {"a": {"ram": 512}, "b": "two\nlines\n"}
    assert expected == read([f"a=@{tmp_path}/a.json", f"b=@{tmp_path}/b.txt"])


def test_dots_nest_and_lie_over_the_document():
    """Single members of a document are replaced, others stay."""
    assert {"a": {"x": 2, "y": 1}, "b": 3} == read(["a.x=2", "b=3"], '{"a": {"x": 1, "y": 1}, "b": 1}')


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["force"], "name=value"),
        (["=1"], "name=value"),
        (["a..b=1"], "name=value"),
        (["a=1", "a=2"], "twice"),
        (["a=1", "a.b=2"], "as a whole"),
        (['a={"c": 1}', "a.b=2"], "as a whole"),
        (["a.b=2", "a=1"], "a part of it"),
        (["a=@/nowhere/at/all"], "No such file"),
        (['a={"x": 1, "x": 2}'], "stands twice"),
        (["a=\udc80"], "not UTF-8"),
    ],
)
def test_what_could_be_meant_in_two_ways_is_refused(texts, told):
    """The message names the parameter and the reason."""
    with pytest.raises(ParamsInvalid, match=told):
        read(texts)


@pytest.mark.parametrize("document", ["", "[1]", "{", '{"a": 1, "a": 2}', '{"a": NaN}'])
def test_a_document_that_is_no_object_is_refused(document):
    """--params takes one JSON object."""
    with pytest.raises(ParamsInvalid, match="--params"):
        read([], document)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_whatever_json_is_typed_arrives_as_it_is(wanted):
    """Each value written as JSON is read back, and can be sent."""
    typed = [f"{name}={json.dumps(value)}" for name, value in wanted.items()]
    found = read(typed)
    assert wanted == found
    json.dumps(found, allow_nan=False)


@given(st.lists(st.text(max_size=12).filter(lambda text: "@" not in text), max_size=4))
def test_whatever_is_typed_is_read_or_refused(texts):
    """No text breaks the reader."""
    try:
        found = read(texts)
    except ParamsInvalid:
        return
    json.dumps(found, allow_nan=False)
