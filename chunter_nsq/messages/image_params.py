"""The parameters of image.*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from chunter_nsq.messages.backup_params import Given, Store
from chunter_nsq.messages.fields import Document, Flag, SnapshotName, Text, Uuid
from chunter_nsq.messages.ways import Faults
from chunter_nsq.smartos.docker_names import is_docker_name, is_image
from chunter_nsq.smartos.imgadm import IMAGE_FORM, is_source


def Source() -> Text:  # noqa: N802 - reads as the field that it makes
    """Where images come from."""
    return Text(accepts=is_source, form="an http or https address")


def ImageName() -> Text:  # noqa: N802 - reads as the field that it makes
    """An image, by its uuid or as docker names it."""
    return Text(accepts=is_image, form=IMAGE_FORM, size_limit=255)


@dataclass(frozen=True, slots=True)
class ImageImport:
    """An image, and the one source that its uuid is looked up in; without it every source of the host is asked."""

    image: Annotated[str, ImageName()]
    source: Annotated[str | None, Source()] = None
    dry_run: Annotated[bool, Flag()] = False

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> Faults:
        """A docker image comes from the registry that its name says, or from docker.io."""
        if values.get("source") is None or not is_docker_name(values.get("image", "")):
            return {}
        return {"source": ["must not stand beside a docker image's name, which says its registry itself"]}


@dataclass(frozen=True, slots=True)
class ImageNamed:
    """An image."""

    image: Annotated[str, Uuid()]
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class SnapshotStore:
    """The snapshot, the uuid of the image that is made of it, and what its manifest says (name, version, ...)."""

    snapshot: Annotated[str, SnapshotName()]
    image: Annotated[str, Uuid()]
    manifest: Annotated[Mapping[str, Any] | None, Document()] = None
    s3: Annotated[Given | None, Store()] = None
    dry_run: Annotated[bool, Flag()] = False
