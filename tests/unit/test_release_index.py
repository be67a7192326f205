from __future__ import annotations

import json

import pytest

from chunter_nsq.errors import InvalidState, NotAuthorized, NotFound, StorageFailed
from chunter_nsq.release.ed25519 import public_key
from chunter_nsq.release.index import checked, choose
from chunter_nsq.release.versions import channel_of, is_version, rank
from tools.release import signing

DIGEST = "0" * 64


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """A private key."""
    file = tmp_path_factory.mktemp("keys") / "key"
    signing.new_key(file)
    return file


def entry(version, **changed):
    """A release as the index tells it."""
    return {"version": version, "file": f"chunter-{version}.gz", "bytes": 10, "sha256": DIGEST, **changed}


def index(*releases, **changed):
    """The text of an index."""
    return json.dumps({"format": 1, "channel": "rel", "releases": list(releases), **changed}).encode()


def read(key, text):
    """What a host understands of it."""
    return checked(text, signing.sign(key, text), public_key(signing.public(key).decode()), "rel")


def test_releases_come_in_the_order_of_their_versions(key):
    """As numbers, not as text."""
    found = read(key, index(entry("0.10.0"), entry("0.9.0"), entry("0.10.0.dev3")))

    assert ["0.9.0", "0.10.0.dev3", "0.10.0"] == [one.version for one in found]


def test_an_index_that_nobody_signed_is_refused(key):
    """A changed byte is as good as a strange key."""
    text = index(entry("0.1.0"))
    signature = signing.sign(key, text)

    with pytest.raises(NotAuthorized):
        checked(text.replace(b"0.1.0", b"0.1.1"), signature, public_key(signing.public(key).decode()), "rel")


@pytest.mark.parametrize(
    "text",
    [
        b"not json",
        b"[]",
        index(entry("0.1.0"), format=2),
        index(entry("0.1.0"), channel="dev"),
        index(entry("0.1.0", file="../../etc/passwd")),
        index(entry("0.1.0/../x", file="chunter-0.1.0/../x.gz")),
        index(entry("0.1.0", bytes="10")),
        index(entry("0.1.0", sha256="x")),
        index({"version": "0.1.0"}),
    ],
)
def test_a_signed_index_of_another_form_is_refused(key, text):
    """Nothing in it becomes a path or a number unchecked."""
    with pytest.raises(StorageFailed):
        read(key, text)


def test_the_newest_is_chosen_and_never_an_older_one(key):
    """Without a version an index that lost the newer ones is no reason to go back."""
    found = read(key, index(entry("0.1.0"), entry("0.2.0")))

    assert ["0.2.0", None, None] == [
        one and one.version
        for one in (choose(found, installed, None, force=False) for installed in ("0.1.0", "0.2.0", "0.3.0"))
    ]


def test_an_older_version_needs_force(key):
    """It is named, and still refused, but for force."""
    found = read(key, index(entry("0.1.0"), entry("0.2.0")))

    with pytest.raises(InvalidState, match=r"older than 0\.2\.0"):
        choose(found, "0.2.0", "0.1.0", force=False)
    with pytest.raises(NotFound, match=r"there are 0\.1\.0, 0\.2\.0"):
        choose(found, "0.2.0", "0.7.0", force=True)

    assert "0.1.0" == choose(found, "0.2.0", "0.1.0", force=True).version


def test_versions_are_ranked_and_have_a_channel():
    """A development version comes before what it leads to."""
    names = ["1.0.0", "1.0.0.dev12", "0.9.9", "1.0.0.dev9"]

    assert ["0.9.9", "1.0.0.dev9", "1.0.0.dev12", "1.0.0"] == sorted(names, key=rank)
    assert ["rel", "dev"] == [channel_of("1.0.0"), channel_of("1.0.0.dev9")]
    assert [False] * 4 == [is_version(text) for text in ("1.0", "v1.0.0", "1.0.0-rc1", "1.0.0\n2")]
