"""Rules between keys: what each value may be alone, yet not together with another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from chunter_nsq.config import units
from chunter_nsq.config.faults import Remark

if TYPE_CHECKING:
    from chunter_nsq.config.settings import Config

CHUNKS_IN_MEMORY = 3  # one being filled, one being sent, one waiting


def check(config: Config, lines: Mapping[str, int]) -> tuple[Remark, ...]:
    """All rules that a configuration breaks; ``lines`` says where each attribute was set."""
    broken = (*_tls(config), *_keys_of_s3(config), *_pools(config), *_memory(config))
    return tuple(Remark(max(lines.get(attribute, 0) for attribute in attributes), text) for attributes, text in broken)


def _tls(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    if not config.nsq_tls:
        for attribute in ("nsq_tls_ca", "nsq_tls_cert", "nsq_tls_key"):
            if getattr(config, attribute):
                name = attribute.replace("nsq_", "nsq.", 1)
                yield (attribute,), f"{name}: it means nothing while nsq.tls is off; write nsq.tls = on, or remove it"
    if bool(config.nsq_tls_cert) != bool(config.nsq_tls_key):
        given, missing = ("cert", "key") if config.nsq_tls_cert else ("key", "cert")
        yield (f"nsq_tls_{given}",), f"nsq.tls_{given}: it needs nsq.tls_{missing} beside it"


def _keys_of_s3(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    if bool(config.s3_access_key) != bool(config.s3_secret_key):
        given, missing = ("access", "secret") if config.s3_access_key else ("secret", "access")
        yield (f"s3_{given}_key",), f"s3.{given}_key: it needs s3.{missing}_key beside it"


def _pools(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    for first, most in (
        ("parallel_uploads", "max_parallel_uploads"),
        ("parallel_downloads", "max_parallel_downloads"),
    ):
        initial, highest = getattr(config, first), getattr(config, most)
        if initial > highest:
            yield (first, most), f"{first}: {initial} is more than {most}, {highest}; raise that or lower this"


def _memory(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    held, needed = config.backup_memory_bytes, CHUNKS_IN_MEMORY * config.s3_upload_chunk_size_bytes
    if needed > held:
        text = f"{units.write_size(held)} does not hold {CHUNKS_IN_MEMORY} chunks of s3_upload_chunk_size"
        remedy = f"write {units.write_size(needed)} or more"
        yield ("s3_upload_chunk_size_bytes", "backup_memory_bytes"), f"backup_memory: {text}; {remedy}"
