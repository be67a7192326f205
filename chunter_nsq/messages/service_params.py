"""The parameters of service.*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from chunter_nsq.messages.fields import Flag, Text, Whole
from chunter_nsq.smartos import names

REACH_SECONDS = 60


def Fmri() -> Text:  # noqa: N802 - reads as the field that it makes
    """A service."""
    return Text(accepts=names.is_fmri, form="a service, such as svc:/network/ssh:default or network/ssh")


@dataclass(frozen=True, slots=True)
class ServiceNamed:
    """A service, and how many seconds to wait for the state that is asked for."""

    service: Annotated[str, Fmri()]
    timeout: Annotated[int, Whole(least=1, most=3600)] = REACH_SECONDS
    dry_run: Annotated[bool, Flag()] = False
