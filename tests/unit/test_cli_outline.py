from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunter_nsq.cli.outline import outline, plain, table

SCALARS = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=20)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (12, "12"),
        ("as it is", "as it is"),
        (["a", 1], "a, 1"),
        ([], "none"),
        ({"a": [1]}, '{"a": [1]}'),
        ("\x1b[31mred", "\\x1b[31mred"),
    ],
)
def test_values_on_one_line(value, text):
    """Words for JSON's own, and no control characters."""
    assert text == plain(value)


def test_names_are_aligned_and_parts_indented():
    """Short members stand in columns, nested ones below their name."""
    value = {"uuid": "u", "alias": "web", "nic": {"ip": "10.0.0.1"}, "none": {}, "argv": ["vmadm", "a b"]}
    expected = ["uuid   u", "alias  web", "nic", "  ip  10.0.0.1", "none   none", "argv   vmadm 'a b'"]
    assert expected == list(outline(value))


def test_a_list_of_equal_things_is_a_table():
    """Machines come in rows under capital names."""
    rows = [{"alias": "a", "ips": ["1", "2"]}, {"alias": "longer", "ips": []}]
    assert ["machines", "  ALIAS   IPS", "  a       1, 2", "  longer  none"] == list(outline({"machines": rows}))


def test_a_list_of_different_things_is_told_one_by_one():
    """What does not fit a table is indented under a dash; argument vectors read as they are typed."""
    value = {"argv": [["zfs", "list"], ["zfs", "destroy", "a b"]], "rows": [{"a": {"b": 1}}, {"text": "x\ny"}]}
    expected = [
        "argv",
        "  - zfs list",
        "  - zfs destroy 'a b'",
        "rows",
        "  - a",
        "      b  1",
        "  - text",
        "      x",
        "      y",
    ]
    assert expected == list(outline(value))


def test_a_table_leaves_out_what_does_not_fit_and_says_so():
    """No line is wider than asked, the first column stands always."""
    rows = [{"first": "x" * 30, "second": "y" * 30, "third": 1}]
    lines = table(rows, ["first", "second", "third"], 50)
    assert "FIRST" == lines[0]
    assert "(with --json also: second, third)" == lines[-1]


def test_the_only_row_is_told_whole():
    """One row that is too wide for a table is an outline, so that nothing is missing."""
    lines = list(outline({"rows": [{"a": "x" * 60, "b": "y" * 60}]}))
    assert ["rows", f"  - a  {'x' * 60}", f"    b  {'y' * 60}"] == lines


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_any_object_has_an_outline(value):
    """No JSON breaks it, and nothing in it can drive a terminal."""
    for line in outline(value):
        assert line.isprintable()


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), SCALARS, max_size=4), min_size=1, max_size=4))
def test_a_table_of_short_cells_fits(rows):
    """No line is wider than asked unless the first column alone is."""
    first = max(len(plain(row.get("a"))) for row in rows)
    assert all(len(line) <= max(60, first) for line in table(rows, list("abcd"), 60))
