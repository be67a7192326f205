"""The parameters of image.*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from chunter_nsq.messages.fields import Flag, Text, Uuid
from chunter_nsq.smartos.imgadm import is_source


def Source() -> Text:  # noqa: N802 - reads as the field that it makes
    """Where images come from."""
    return Text(accepts=is_source, form="an http or https address")


@dataclass(frozen=True, slots=True)
class ImageImport:
    """An image, and the one source that it shall come from; without it every source of the host is asked."""

    image: Annotated[str, Uuid()]
    source: Annotated[str | None, Source()] = None
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class ImageNamed:
    """An image."""

    image: Annotated[str, Uuid()]
    dry_run: Annotated[bool, Flag()] = False
