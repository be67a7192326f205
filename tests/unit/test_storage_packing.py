from __future__ import annotations

import gzip
import importlib.util
import os
import random
import subprocess
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_parts import mixed, relaxed

from chunter_nsq.errors import ChecksumMismatch, Unsupported
from chunter_nsq.storage import members
from chunter_nsq.storage.compress import codec, recognised
from chunter_nsq.storage.inflate import Cutter, Gunzip, Straight, reader
from chunter_nsq.storage.profiles import MIB

BLOCKS = st.lists(
    st.one_of(
        st.binary(max_size=3000),
        st.integers(0, 300_000).map(os.urandom),
        st.integers(0, 300_000).map(lambda size: b"the same again " * (size // 15)),
        st.integers(0, 200).map(lambda seed: mixed(200_000, seed)),
    ).filter(len),
    max_size=4,
)


@relaxed
@given(BLOCKS)
def test_every_gunzip_reads_members(blocks: list[bytes]) -> None:
    """Members one after the other are a gzip file of all blocks."""
    packed = b"".join(members.packed(memoryview(block), 1) for block in blocks)

    assert b"".join(blocks) == gzip.decompress(packed)


@relaxed
@given(BLOCKS, st.sampled_from(["gzip", "none"]))
def test_a_codec_gives_back_what_it_was_given(blocks: list[bytes], name: str) -> None:
    """Block by block."""
    one = codec(name)

    assert blocks == [one.unpacked(one.packed(memoryview(block)), len(block)) for block in blocks]


@relaxed
@given(BLOCKS, st.lists(st.integers(0, 400_000), max_size=6))
def test_blocks_are_cut_out_of_any_parts(blocks: list[bytes], cuts: list[int]) -> None:
    """Wherever the parts end, within a head or within a block, the same blocks come out."""
    one = codec("gzip")
    packed = [one.packed(memoryview(block)) for block in blocks]
    whole = b"".join(packed)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    cutter = Cutter(one)

    found = [
        (bytes(piece), raw)
        for begin, end in pairwise(edges)
        for piece, raw in cutter.feed(memoryview(whole)[begin:end])
    ]
    cutter.end()

    assert [(piece, len(block)) for piece, block in zip(packed, blocks, strict=True)] == found


@relaxed
@given(BLOCKS, st.lists(st.integers(0, 400_000), max_size=6), st.integers(0, 3000))
def test_gzip_of_others_is_read(blocks: list[bytes], cuts: list[int], padding: int) -> None:
    """One or many members of any size, in any parts, zeros behind them."""
    whole = b"".join(gzip.compress(block, 1, mtime=0) for block in blocks) + bytes(padding if blocks else 0)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    gunzip = Gunzip()

    raw = b"".join(piece for begin, end in pairwise(edges) for piece in gunzip.feed(memoryview(whole)[begin:end]))
    gunzip.end()

    assert b"".join(blocks) == raw


def test_pieces_of_others_streams_are_bounded() -> None:
    """A megabyte at a time, however well it was packed."""
    packed = gzip.compress(bytes(30 * MIB))

    assert max(len(piece) for piece in Gunzip().feed(memoryview(packed))) <= MIB


def test_noise_is_stored_and_text_is_deflated() -> None:
    """What does not shrink costs next to nothing in size, what shrinks does."""
    noise, text = os.urandom(MIB), b"a line of some text\n" * 50_000

    assert len(members.packed(memoryview(noise), 1)) < MIB + 300
    assert len(members.packed(memoryview(text), 1)) < len(text) // 50


@relaxed
@given(st.lists(st.integers(0, 255), min_size=1, max_size=128, unique=True), st.randoms(use_true_random=True))
def test_few_values_and_patterns_of_all_are_deflated(values: list[int], chance: random.Random) -> None:
    """What has half of all values shrinks in whatever order, and what has all of them when it repeats itself."""
    few = bytes(chance.choices(values, k=MIB // 8))
    pattern = bytes(range(256)) * 512

    assert len(members.packed(memoryview(few), 1)) < len(few) * 9 // 10
    assert len(members.packed(memoryview(pattern), 1)) < len(pattern) // 50


def test_packing_is_repeatable() -> None:
    """The same block makes the same bytes: a resumed upload depends on it."""
    block = mixed(MIB, 1)

    assert members.packed(memoryview(block), 1) == members.packed(memoryview(bytearray(block)), 1)


@relaxed
@given(st.integers(0, 2**30), st.integers(0, 7))
def test_a_turned_bit_is_noticed(place: int, bit: int) -> None:
    """Either the head is none of ours any more, or unpacking says that it is damaged; or nothing has changed."""
    block = BLOCK
    packed = bytearray(PACKED)
    packed[place % len(packed)] ^= 1 << bit
    measure = members.measured(packed)

    if measure is not None and measure[0] == len(packed):
        try:
            assert block == members.unpacked(bytes(packed), measure[1])
        except ChecksumMismatch:
            return


BLOCK = mixed(20_000, 2)
PACKED = members.packed(memoryview(BLOCK), 1)


@pytest.mark.parametrize("size", [0, 1, members.HEAD_BYTES - 1])
def test_too_short_a_head_is_none(size: int) -> None:
    """Nothing is guessed from the first bytes of a head."""
    assert members.measured(PACKED[:size]) is None


def test_a_stream_that_is_cut_off_is_noticed() -> None:
    """Within a head and within a block, of ours and of others."""
    for kept in (10, len(PACKED) - 1):
        cutter = Cutter(codec("gzip"))
        assert [] == list(cutter.feed(memoryview(PACKED)[:kept]))
        with pytest.raises(ChecksumMismatch, match="cut off"):
            cutter.end()
    gunzip = Gunzip()
    list(gunzip.feed(memoryview(gzip.compress(BLOCK))[:-1]))
    with pytest.raises(ChecksumMismatch, match="cut off"):
        gunzip.end()


def test_something_else_between_blocks_is_noticed() -> None:
    """After our blocks come our blocks."""
    with pytest.raises(ChecksumMismatch, match="something else"):
        list(Cutter(codec("gzip")).feed(memoryview(PACKED + gzip.compress(b"another"))))


def test_codecs_are_recognised() -> None:
    """By their first bytes; what is neither gzip nor zstd is taken as it is."""
    zstd = subprocess.run(["zstd", "-c"], input=b"abc", capture_output=True, check=True).stdout

    assert ["gzip", "gzip", "zstd", "none"] == [
        recognised(each) for each in (PACKED, gzip.compress(b""), zstd, b"BEGIN")
    ]
    assert [Cutter, Gunzip, Straight] == [
        type(reader(memoryview(each))[1]) for each in (PACKED, gzip.compress(b""), b"BEGIN")
    ]


def test_zstd_works_where_it_is_installed() -> None:
    """With the module blocks come back and zstd reads them; without it the refusal says what to install."""
    if importlib.util.find_spec("zstandard") is None:
        with pytest.raises(Unsupported, match="install zstandard"):
            codec("zstd")
        return
    one = codec("zstd")
    packed = one.packed(memoryview(BLOCK))

    assert (len(packed), len(BLOCK)) == one.measured(packed)
    assert BLOCK == one.unpacked(packed, len(BLOCK))
    assert BLOCK * 2 == subprocess.run(["zstd", "-dc"], input=packed * 2, capture_output=True, check=True).stdout


def test_another_level_of_zlib_is_another_engine() -> None:
    """The engine tells library, version and level."""
    assert codec("gzip").engine.startswith(("zlib " + zlib.ZLIB_RUNTIME_VERSION, "isal "))
    assert "gzip" == codec("auto").name
