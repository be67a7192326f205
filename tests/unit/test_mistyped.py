"""What a mistyped name is answered with."""

from __future__ import annotations

import pytest

from chunter_nsq.mistyped import meant

KNOWN = ("machine.start", "machine.stop")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("machine.stopp", "did you mean machine.stop?"),
        ("machine.strat", "did you mean machine.start?"),
        ("xyz", ""),
        ("", ""),
    ],
)
def test_only_the_nearest_name_is_proposed(name: str, words: str) -> None:
    """The nearest name, and none where none is near."""
    assert words == meant(name, KNOWN)


def test_a_name_is_proposed_as_it_has_to_be_written() -> None:
    """The names that are compared need not be those that are shown."""
    assert "did you mean chunter.zone?" == meant("zoen", ["zone"], "chunter.{}".format)
