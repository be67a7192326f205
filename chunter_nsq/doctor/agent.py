"""The service and the agent itself, as they are now."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator

from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from chunter_nsq.config import split_address
from chunter_nsq.doctor.finding import Finding, fault, ok, skipped, warning
from chunter_nsq.doctor.patient import Patient
from chunter_nsq.errors import Fault, NotFound
from chunter_nsq.smartos.svcadm import Svcadm

SERVICE = "svc:/network/chunter:default"
_SECONDS = 5.0
_READY, _NOT_READY = 200, 503


async def service(patient: Patient) -> AsyncIterator[Finding]:
    """What SMF says of it."""
    try:
        found = await Svcadm(patient.runner).look(SERVICE)
    except NotFound:
        yield warning(f"SMF does not know {SERVICE}: nothing starts the agent at boot", "run install.sh again")
        return
    except Fault as refused:
        yield fault(f"SMF cannot be asked: {refused.message}", "see the check of tools")
        return
    if found.state == "online":
        yield ok(f"{found.fmri} is online since {found.stime}")
    elif found.state == "maintenance":
        yield fault(
            f"{found.fmri} is in maintenance since {found.stime}",
            "the end of its log says why (svcs -L chunter); mend that, then: svcadm clear chunter",
        )
    else:
        yield warning(f"{found.fmri} is {found.state}", "svcs -xv chunter says why; svcadm enable chunter starts it")


async def agent(patient: Patient) -> AsyncIterator[Finding]:
    """An agent that runs says itself whether it reads commands and sends events."""
    address = patient.config.status_listen
    if not address:
        yield skipped("status_listen is off: the agent cannot be asked")
        return
    host, port = split_address(address)
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    client = AsyncHTTPClient(force_instance=True)
    try:
        answer = await client.fetch(f"http://{where}/readyz", raise_error=False, request_timeout=_SECONDS)
    except (OSError, HTTPClientError) as nobody:
        yield warning(f"no agent answers at {where} ({nobody})", "svcadm enable chunter, or chunter run")
        return
    finally:
        client.close()
    said = ", ".join(answer.body.decode("utf-8", "replace").split("\n")).strip(", ")[:300]
    if answer.code == _READY:
        yield ok(f"the agent at {where} reads commands and sends events")
    elif answer.code == _NOT_READY:
        yield fault(f"the agent at {where} is not ready: {said}", "see the checks of nsqd and of the channel")
    else:
        yield fault(
            f"what listens at {where} is no agent: /readyz is answered with {answer.code}",
            "set status_listen to a port that is free",
        )
