"""Uploads in the store that nobody will ever finish: listed and aborted."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from chunter_nsq.storage.bucket import Bucket, Unfinished


def orphans(
    bucket: Bucket, prefixes: Iterable[str], known: Collection[str], *, begun_before: float
) -> tuple[Unfinished, ...]:
    """Unfinished uploads below our prefixes whose id no kept state names; none where the store does not tell.

    Args:
        bucket: Perhaps shared with other hosts.
        prefixes: Of keys that are this host's alone to write, such as ``<vm>/`` of its VMs.
        known: Upload ids of transfers that are under way or to be gone on with.
        begun_before: Epoch seconds by the store's clock; younger ones are left alone: their state may be on its way.
    """
    found = {each.upload_id: each for prefix in prefixes for each in bucket.uploads(prefix)}
    return tuple(each for each in found.values() if each.upload_id not in known and each.begun < begun_before)


def abort_all(bucket: Bucket, unfinished: Iterable[Unfinished]) -> int:
    """Abort them; how many there were."""
    count = 0
    for each in unfinished:
        bucket.abort(each.key, each.upload_id)
        count += 1
    return count
