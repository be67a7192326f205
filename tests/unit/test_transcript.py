"""What imgadm's words say of an import."""

from __future__ import annotations

from chunter_nsq.smartos.transcript import Transcript

REDIS = "2feb5257-cb6a-fcd0-8789-dfcb3d934263"
BASE = "8a98589a-db8e-bef7-a168-d5450f9da84d"
ALPINE = "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b"


def _read(asked: str, *lines: str) -> Transcript:
    transcript = Transcript(asked)
    for line in lines:
        transcript.read(line)
    return transcript


def test_a_name_becomes_a_uuid() -> None:
    """The first line that says so decides, not what is said of layers later."""
    for first in (
        f'Importing {REDIS} (docker.io/redis:3) from "https://docker.io"',
        f"Image {REDIS} is already installed",
    ):
        told = _read("redis:3", first, f"Image {BASE} already installed")
        assert REDIS == told.image


def test_what_may_lie_half_made() -> None:
    """All that was downloaded and is not imported yet, besides what was asked for."""
    told = _read(
        "redis:3", f"Importing {REDIS} (x)", f"Downloaded image {REDIS} (1 B)", f"Downloaded image {BASE} (2 B)"
    )
    assert [REDIS, BASE] == [*told.coming]
    assert not told.read(f"Imported image {BASE} (docker-layer@ceb36c1da065)")
    assert [REDIS] == [*told.coming]
    assert told.read(f"Downloaded image {ALPINE} (3 B)")
    assert not told.read(f"Downloaded image {ALPINE} (3 B)")


def test_a_uuid_is_known_before_a_word_was_said() -> None:
    """Also when imgadm never says one."""
    told = _read(ALPINE)
    assert (ALPINE, [ALPINE]) == (told.image, [*told.coming])
    assert [] == [*_read(ALPINE, f"Imported image {ALPINE} (alpine-3@20170403)").coming]


def test_other_words_say_nothing() -> None:
    """Warnings and sentences that only resemble the known ones."""
    told = _read("redis", "Aborting (Image is broken)", f"Waiting for image {BASE} import lock", "Importing busybox")
    assert (None, []) == (told.image, [*told.coming])
