"""What goes wrong between us and NSQ."""

from __future__ import annotations

from typing import ClassVar

from chunter_nsq.errors import Fault


class NsqFault(Fault):
    """nsqd, nsqlookupd or the way to them did not do what was asked; ``details.address`` says which one."""

    transient: ClassVar[bool] = True


class LinkLost(NsqFault):
    """A connection to nsqd could not be made, was closed, or fell silent."""


class LinkRefused(LinkLost):
    """nsqd answered, and will not have us as we are: TLS, AUTH or a limit; trying again soon does not help."""


class PublishFault(NsqFault):
    """A publish without nsqd's OK; ``confirmed`` leading bodies of it (earlier batches) did get one."""

    confirmed: int = 0


class PublishInvalid(PublishFault):
    """Never sent and never to be tried again: topic or size break NSQ's rules, or nsqd said so."""

    transient: ClassVar[bool] = False


class PublishFailed(PublishFault):
    """Not sent, or refused unread: sending it again cannot make a duplicate."""


class PublishUncertain(PublishFault):
    """Sent, but no answer came in time: perhaps published. Sending it again needs the same id inside."""
