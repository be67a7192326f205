from __future__ import annotations

import base64

import pytest

from chunter_nsq.release.ed25519 import is_signed, public_key
from tools.release import signing

# RFC 8032, 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize("vector", VECTORS, ids=["empty", "one byte", "two bytes"])
def test_the_signatures_of_the_standard_are_good(vector):
    """What RFC 8032 signed is signed."""
    assert is_signed(*map(bytes.fromhex, vector))


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_a_changed_signature_is_not_one(place):
    """One bit is enough."""
    key, message, signature = map(bytes.fromhex, VECTORS[2])
    changed = bytearray(signature)
    changed[place] ^= 1

    assert not is_signed(key, message, bytes(changed))


def test_another_message_or_key_is_not_signed():
    """Nor are too few bytes of anything."""
    key, message, signature = map(bytes.fromhex, VECTORS[1])
    other = bytes.fromhex(VECTORS[2][0])

    assert [False] * 5 == [
        is_signed(key, message + b"x", signature),
        is_signed(other, message, signature),
        is_signed(key, message, signature[:-1]),
        is_signed(key[:-1], message, signature),
        is_signed(b"\xff" * 32, message, signature),
    ]


def test_a_signature_has_one_form():
    """The same signature with the order of the group added to its scalar is refused."""
    key, message, signature = map(bytes.fromhex, VECTORS[0])
    scalar = int.from_bytes(signature[32:], "little") + ORDER

    assert not is_signed(key, message, signature[:32] + scalar.to_bytes(32, "little"))


def test_what_openssl_signs_is_signed(tmp_path):
    """The key that make dist makes and the signature that it writes are those that hosts check."""
    file = tmp_path / "key"
    signing.new_key(file)
    pem = signing.public(file).decode()
    content = bytes(range(256)) * 40

    signature = signing.sign(file, content)

    assert (0o600, 64) == (file.stat().st_mode & 0o777, len(signature))
    assert (True, False) == (
        is_signed(public_key(pem), content, signature),
        is_signed(public_key(pem), content[:-1], signature),
    )


def test_a_key_is_pem_or_base64():
    """Both forms give the 32 bytes."""
    raw = bytes.fromhex(VECTORS[0][0])
    spki = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + raw).decode()

    assert [raw, raw, raw] == [
        public_key(f"-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n"),
        public_key(spki),
        public_key(base64.b64encode(raw).decode()),
    ]


@pytest.mark.parametrize("text", ["", "no key", "AAAA", base64.b64encode(bytes(33)).decode()])
def test_what_is_no_key_is_refused(text):
    """In words."""
    with pytest.raises(ValueError, match="this is no"):
        public_key(text)
