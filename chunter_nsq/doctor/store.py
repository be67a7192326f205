"""The object store: a probe that puts 5 MB there in two parts, reads them back, and removes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from chunter_nsq.config import Config
from chunter_nsq.doctor.finding import Finding, fault, ok, skipped, warning
from chunter_nsq.doctor.patient import Patient

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 20.0


async def store(patient: Patient) -> AsyncIterator[Finding]:
    """The bucket for backups keeps what it is given."""
    config = patient.config
    if not config.s3_endpoint and not config.s3_bucket:
        yield skipped("no store is configured: backups need params.s3, or s3.endpoint and s3.bucket")
        return
    if not config.s3_endpoint or not config.s3_bucket:
        missing = "s3.bucket" if config.s3_endpoint else "s3.endpoint"
        yield fault(f"{missing} is not set: backups cannot be made", f"set {missing}, or remove the other s3 keys")
        return
    from chunter_nsq.storage.s3 import has_keys_around  # noqa: PLC0415 - boto3, for those who have a store

    if not config.s3_secret_key and not await asyncio.to_thread(has_keys_around):
        yield warning(
            "s3.access_key and s3.secret_key are not set, nor are keys in this environment",
            "set them, unless the service has them in its environment, or each command brings its own",
        )
        return
    async for finding in _probed(config):
        yield finding


async def _probed(config: Config) -> AsyncIterator[Finding]:
    from chunter_nsq.backup.stores import Stores  # noqa: PLC0415 - as above
    from chunter_nsq.storage.bucket import Bucket  # noqa: PLC0415 - same
    from chunter_nsq.storage.probe import probe  # noqa: PLC0415 - same

    account = replace(
        Stores(lambda: config).account(None), connect_seconds=_CONNECT_SECONDS, silence_seconds=_SILENCE_SECONDS
    )
    bucket = Bucket(account)
    try:
        tried = await asyncio.to_thread(probe, bucket)
    finally:
        bucket.close()
    where = f"bucket {config.s3_bucket} at {config.s3_endpoint}"
    whose = "" if config.s3_secret_key else ", with the keys of this environment: the service needs them in its own"
    for finding in tried.findings:
        if finding.fault:
            yield fault(
                f"{where} fails the step {finding.what!r}: {finding.fault}",
                "compare s3.endpoint, s3.bucket, the keys and s3.profile with the store; do not trust backups to it",
            )
    if tried.good:
        yield ok(f"{where} keeps what it is given ({tried.seconds:.1f} s){whose}")
