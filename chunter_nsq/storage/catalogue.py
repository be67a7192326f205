"""The backups in a bucket, told by their manifests and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from chunter_nsq.errors import Fault, StorageFailed
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.faults import strange
from chunter_nsq.storage.manifest import SUFFIX, File, Manifest, StoredPart, StoredSegment, decoded
from chunter_nsq.storage.transfer import Transfer
from chunter_nsq.storage.upload import Uploaded

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """Some backups; ``after`` is what to ask with for those that follow, None when there are none."""

    manifests: tuple[Manifest, ...]
    after: str | None
    unreadable: tuple[str, ...] = ()


def page(bucket: Bucket, vm: str | None = None, *, after: str = "", limit: int = 100) -> Page:
    """Backups of a VM or of all, by key; manifests that cannot be read are named and left out."""
    found: list[Manifest] = []
    unreadable: list[str] = []
    last = after
    for key in manifest_keys(bucket, vm, after=after):
        if len(found) + len(unreadable) == limit:
            return Page(tuple(found), last, tuple(unreadable))
        last = key
        try:
            found.append(load(bucket, key))
        except Fault as fault:
            if fault.transient:
                raise
            log.warning("storage.manifest_unreadable", extra={"key": key, "why": fault.message})
            unreadable.append(key)
    return Page(tuple(found), None, tuple(unreadable))


def manifest_keys(bucket: Bucket, vm: str | None = None, *, after: str = "") -> Iterator[str]:
    """Keys of manifests, in order."""
    prefix = f"{vm}/" if vm else ""
    return (key for key, _size in bucket.keys(prefix, after) if key.endswith(SUFFIX))


def load(bucket: Bucket, key: str) -> Manifest:
    """One manifest. Raises ChecksumMismatch and StorageFailed as ``decoded`` does, StorageMissing without one."""
    return decoded(bucket.get(key), key)


def commit(transfer: Transfer, manifest: Manifest) -> None:
    """Write the manifest, read it back and compare: from then on there is a backup.

    Raises:
        StorageFailed: it is not in the store as it was written; whether there is a backup is unknown then.
    """
    content = manifest.encoded()

    def once() -> None:
        transfer.bucket.put(manifest.key, content, "application/json")
        if transfer.bucket.get(manifest.key) != content:
            raise strange(f"write {manifest.key}", "what is read back is something else")

    with transfer.stop.calling(transfer.bucket.hang_up):
        transfer.attempt(once, f"write {manifest.key}")


def remove(transfer: Transfer, manifest: Manifest) -> int:
    """Delete a backup, its manifest first: what is left half-way is none; bytes freed."""
    with transfer.stop.calling(transfer.bucket.hang_up):
        for key in (manifest.key, *manifest.keys):
            transfer.attempt(lambda each=key: transfer.bucket.delete(each), f"delete {key}")  # type: ignore[misc] # mypy does not infer it
    return manifest.size


def file_of(uploaded: Uploaded, dataset: str | None) -> File:
    """An upload as a manifest tells of it."""
    segments = tuple(StoredSegment(one.key, one.size, one.etag, len(one.parts)) for one in uploaded.segments)
    parts = tuple(
        StoredPart(part.size, part.md5, part.sha256)
        for one in uploaded.segments
        for _, part in sorted(one.parts.items())
    )
    return File(
        key=uploaded.key,
        dataset=dataset,
        size=uploaded.size,
        raw_size=uploaded.raw_size,
        raw_sha256=uploaded.raw_sha256,
        sha1=uploaded.sha1,
        sha256=uploaded.sha256,
        codec=uploaded.codec,
        segments=segments,
        parts=parts,
    )


def free_key(bucket: Bucket, key: str, attempt: str) -> str:
    """``key``, or a variation with ``attempt`` in it when something has that name: an old key is never used again.

    Raises:
        StorageFailed: both are taken.
    """
    for candidate in (key, f"{key}.try-{attempt}"):
        if bucket.head(candidate) is None:
            return candidate
    raise StorageFailed(f"cannot store {key}: that name is taken, and so is the one with {attempt}", {"key": key})
