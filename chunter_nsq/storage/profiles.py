"""What differs between the makes of stores that speak S3."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Profile:
    """What one make of store takes and promises.

    ``etags``: the ETag of a part is its MD5. ``names_multipart``: the ETag of the whole is always the MD5 of those,
    with a dash and their number. ``lists_uploads``: unfinished uploads and their parts can be listed.
    ``signs_payload``: the bytes themselves must be signed, although their signed MD5 goes along.
    """

    name: str
    max_parts: int = 10_000
    least_part_bytes: int = 16 * MIB
    most_part_bytes: int = 5 * 1024 * MIB
    path_style: bool = True
    etags: bool = True
    names_multipart: bool = True
    lists_uploads: bool = True
    list_version: int = 2
    conditional_reads: bool = True
    signs_payload: bool = False


GENERIC = Profile("generic", names_multipart=False, conditional_reads=False)
PROFILES = {
    profile.name: profile
    for profile in (
        GENERIC,
        Profile("aws", path_style=False),
        Profile("minio"),
        Profile("ceph"),
        # 1,000 parts at most, all of one size, not above its own chunk by much; it lists no uploads.
        Profile(
            "leofs",
            max_parts=1000,
            least_part_bytes=5 * MIB,
            most_part_bytes=64 * MIB,
            names_multipart=False,
            lists_uploads=False,
            list_version=1,
            conditional_reads=False,
            signs_payload=True,
        ),
    )
}
