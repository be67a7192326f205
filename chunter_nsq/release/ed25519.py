"""Ed25519 (RFC 8032): checks a signature, and does not make any.

Pure Python, because hosts have no other that can be counted on: the openssl command checks such signatures from 3.0
on, and platforms in use have older ones. Nothing here is secret, so that time may depend on the values.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

KEY_BYTES, SIGNATURE_BYTES = 32, 64
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_SPKI = bytes.fromhex("302a300506032b6570032100")  # what stands before the key in its PEM

Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T


def public_key(text: str) -> bytes:
    """The 32 bytes of a public key that is written as PEM, or as their base64; raises ValueError."""
    lines = [line for line in text.split() if line] if "-----" not in text else text.strip().splitlines()[1:-1]
    try:
        raw = base64.b64decode("".join(lines), validate=True)
    except binascii.Error:
        raise ValueError("this is no key: neither PEM (-----BEGIN PUBLIC KEY-----) nor base64") from None
    raw = raw.removeprefix(_SPKI) if len(raw) == len(_SPKI) + KEY_BYTES else raw
    if len(raw) != KEY_BYTES:
        raise ValueError(f"this is no Ed25519 key: it has {len(raw)} bytes, not {KEY_BYTES}")
    return raw


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the owner of ``key`` signed ``message``."""
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    first, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    owner, commitment = _point(key), _point(first)
    if owner is None or commitment is None or scalar >= _ORDER:
        return False
    digest = hashlib.sha512(first + key + message).digest()
    challenge = int.from_bytes(digest, "little") % _ORDER
    return _same(_times(scalar, _BASE), _sum(commitment, _times(challenge, owner)))


def _x_of(y: int, sign: int) -> int | None:
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    return _P - x if x & 1 != sign else x


def _point(encoded: bytes) -> Point | None:
    value = int.from_bytes(encoded, "little")
    sign, y = value >> 255, value & (2**255 - 1)
    if y >= _P or (x := _x_of(y, sign)) is None:
        return None
    return x, y, 1, x * y % _P


def _sum(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _sum(total, point)
        point = _sum(point, point)
        scalar >>= 1
    return total


def _same(one: Point, other: Point) -> bool:
    return not ((one[0] * other[2] - other[0] * one[2]) % _P or (one[1] * other[2] - other[1] * one[2]) % _P)


_Y = 4 * pow(5, -1, _P) % _P
_X = _x_of(_Y, 0) or 0
_BASE: Point = (_X, _Y, 1, _X * _Y % _P)
