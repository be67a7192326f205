"""Whether this host's clock agrees with those of the servers around it.

Signed commands are refused when clocks are 300 s apart, S3 refuses requests at 15 minutes, certificates have dates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from chunter_nsq.authority import SKEW_SECONDS
from chunter_nsq.bus import doors
from chunter_nsq.doctor.finding import Finding, fault, ok, skipped, warning
from chunter_nsq.doctor.patient import Patient

NOTABLE_SECONDS = 5.0
_REQUEST_SECONDS = 5.0
_REMEDY = "set the clocks by NTP: svcs ntp, ntpq -p"


async def clock(patient: Patient) -> AsyncIterator[Finding]:
    """Each server tells the time in its answers, to a second."""
    found = await doors.find(patient.connection, patient.config.nsqd_http)
    urls = [f"http://{door}/ping" for door in (*found.open, *patient.config.nsqlookupd)]
    urls += [patient.config.s3_endpoint] if patient.config.s3_endpoint else []
    offsets = await asyncio.gather(*map(_offset, urls))
    known = {url: offset for url, offset in zip(urls, offsets, strict=True) if offset is not None}
    if not known:
        yield skipped("no server tells the time")
    for url, offset in known.items():
        if abs(offset) > NOTABLE_SECONDS:
            yield _skewed(url, offset)
    if known and all(abs(offset) <= NOTABLE_SECONDS for offset in known.values()):
        yield ok(f"within {NOTABLE_SECONDS:g} s of {', '.join(known)}")


def _skewed(url: str, offset: float) -> Finding:
    direction = "behind" if offset > 0 else "ahead of"
    says = f"this host's clock is {abs(offset):.0f} s {direction} that of {url}"
    return fault(says, _REMEDY) if abs(offset) > SKEW_SECONDS else warning(says, _REMEDY)


async def _offset(url: str) -> float | None:
    """Seconds that the server's clock is ahead of ours; None when it says nothing of the time."""
    client = AsyncHTTPClient(force_instance=True)
    request = HTTPRequest(url, method="GET", request_timeout=_REQUEST_SECONDS, follow_redirects=False)
    begun = time.time()
    try:
        answer = await client.fetch(request, raise_error=False)
        told = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (OSError, HTTPClientError, KeyError, ValueError, TypeError):
        return None  # that it cannot be reached is told by the check of that server
    finally:
        client.close()
    # The header has whole seconds: on average the truth is half a second later.
    return told + 0.5 - (begun + time.time()) / 2
