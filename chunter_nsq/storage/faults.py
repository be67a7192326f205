"""What a store answered, turned into a fault that says whether trying again could help."""

from __future__ import annotations

from typing import Any, ClassVar

from chunter_nsq.errors import StorageFailed

# Served with a 4xx, although the same request may be answered well a moment later.
_PASSING_CODES = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "InternalError",
        "OperationAborted",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "XAmzContentSHA256Mismatch",
    }
)
_PASSING_STATUSES = frozenset({408, 429})
_SERVER_FAULT = 500
_MISSING = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
_REMEDIES = {
    "AccessDenied": "the key may not do this: check its permissions",
    "EntityTooLarge": "the store takes no such large part or so many: check s3.profile and s3_upload_chunk_size",
    "InvalidAccessKeyId": "the store does not know the access key: check s3.access_key",
    "NoSuchBucket": "create the bucket or correct s3.bucket",
    "RequestTimeTooSkewed": "set the clock of this host",
    "SignatureDoesNotMatch": "check s3.secret_key and s3.region",
}


class StorageUnavailable(StorageFailed):
    """The store cannot be reached or does not manage just now; trying again may help."""

    transient: ClassVar[bool] = True


class StorageMissing(StorageFailed):
    """No such key, upload or bucket in the store."""


def refused(attempted: str, status: int, code: str, said: str) -> StorageFailed:
    """The fault for an answer of the store; ``attempted`` completes "cannot ...", as in ``read vm/snap``."""
    remedy = _REMEDIES.get(code)
    message = f"cannot {attempted}: the store said {status} {code}: {said or 'nothing'}"
    details: dict[str, Any] = {"status": status, "code": code}
    return _kind(status, code)(f"{message}; {remedy}" if remedy else message, details)


def unreachable(attempted: str, why: str) -> StorageUnavailable:
    """The fault for a request that was not answered, or not in whole."""
    return StorageUnavailable(f"cannot {attempted}: {why}", {"reason": "connection"})


def strange(attempted: str, why: str) -> StorageUnavailable:
    """The fault for a success whose answer makes no sense."""
    return StorageUnavailable(f"cannot {attempted}: {why}", {"reason": "answer"})


def _kind(status: int, code: str) -> type[StorageFailed]:
    if code in _MISSING:
        return StorageMissing
    if status >= _SERVER_FAULT or status in _PASSING_STATUSES or code in _PASSING_CODES:
        return StorageUnavailable
    return StorageFailed
