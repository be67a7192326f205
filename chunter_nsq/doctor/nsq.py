"""The way to NSQ: nsqd, nsqlookupd, and the channel that is this host's alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from chunter_nsq import reach, strangers
from chunter_nsq.bus import admin, doors
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import LinkLost, LinkRefused, NsqFault
from chunter_nsq.bus.greeting import greet
from chunter_nsq.doctor.finding import Finding, fault, ok, skipped, warning
from chunter_nsq.doctor.patient import Patient

_NO_DOOR = "set nsqd_http, or open nsqd's HTTP port to this host"


async def nsqd(patient: Patient) -> AsyncIterator[Finding]:
    """Each nsqd that is named would have us: reachable, TLS, AUTH."""
    addresses = patient.connection.nsqd
    for address, refusal in zip(
        addresses, await asyncio.gather(*(_met(patient, one) for one in addresses)), strict=True
    ):
        yield refusal or ok(f"nsqd {address} takes us{_terms(patient)}")
    found = await doors.find(patient.connection, patient.config.nsqd_http)
    for door in found.open:
        try:
            await admin.ping(door)
        except NsqFault as ill:
            yield fault(f"nsqd is ill: {ill.message}", "see nsqd's log and its disk: what it says OK to may be lost")


async def _met(patient: Patient, address: Address) -> Finding | None:
    try:
        await greet(address, patient.connection)
    except LinkRefused as refused:
        return fault(refused.message, "compare nsq.tls, nsq.tls_ca, nsq.tls_cert and nsq.auth_secret with nsqd's flags")
    except LinkLost as lost:
        return fault(lost.message, "is nsqd running there? Compare the key nsqd; look at firewalls between")
    return None


def _terms(patient: Patient) -> str:
    terms = [name for name, used in (("TLS", patient.config.nsq_tls), ("AUTH", patient.config.nsq_auth_secret)) if used]
    return f" with {' and '.join(terms)}" if terms else ""


async def nsqlookupd(patient: Patient) -> AsyncIterator[Finding]:
    """Each nsqlookupd that is named answers, and knows an nsqd."""
    if not patient.config.nsqlookupd:
        yield skipped("no nsqlookupd is configured; commands are read from the nsqd that are")
    for lookupd in patient.config.nsqlookupd:
        try:
            nodes = await admin.lookup_nodes(lookupd)
        except NsqFault as fault_:
            yield fault(
                f"nsqlookupd {fault_.message}",
                "is it running there? nsqlookupd names its HTTP port (4161), not the other",
            )
            continue
        if nodes:
            yield ok(f"nsqlookupd {lookupd} knows {', '.join(str(node.tcp) for node in nodes)}")
        else:
            yield warning(f"nsqlookupd {lookupd} knows no nsqd", "start nsqd with -lookupd-tcp-address")


async def channel(patient: Patient) -> AsyncIterator[Finding]:
    """Nobody but this host's agent reads its commands."""
    host = patient.host_id
    if host is None:
        yield skipped("this host has no id yet, and so no channel")
        return
    topics = reach.command_topics(patient.config, host)
    seen = await strangers.look(patient.connection, patient.config.nsqd_http, topics, host)
    for one in seen.foreign(host):
        yield fault(
            f"{one.user_agent} on {one.hostname} ({one.remote_address}) reads {one.topic} on the channel of this host "
            "and takes its commands away",
            "end it; to listen use another channel: chunter tail command, or nsq_tail without --channel",
        )
    agents = list(seen.agents(host).values())
    if len(agents) > 1:
        places = ", ".join(one.remote_address for one in agents)
        yield fault(
            f"{len(agents)} agents have the id {host}: {places}",
            "one host was copied from the other: on the copy remove etc/hostid, and restart its agent",
        )
    elif not seen.foreign(host):
        yield ok("nobody else reads the commands of this host")
    if seen.hidden:
        yield warning(f"who reads on nsqd {', '.join(seen.hidden)} cannot be seen", _NO_DOOR)
