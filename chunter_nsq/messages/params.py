"""The parameters of each action: a frozen dataclass whose annotations carry the field that checks them.

``schema_of`` makes the marshmallow schema of such a class; ``load`` gives an instance or all faults at once.
A member without a default is required.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_type_hints

from marshmallow import RAISE, Schema, ValidationError
from marshmallow.fields import Field

from chunter_nsq.messages.fields import (
    Document,
    Flag,
    Id,
    Path,
    SnapshotName,
    Text,
    Texts,
    Topic,
    Whole,
)
from chunter_nsq.messages.ways import Faults, Way, create_faults, faults_of, update_faults
from chunter_nsq.release.versions import is_version

_P = TypeVar("_P")
_BOOT_ORDER = re.compile(r"[cdn]{1,3}")
_PROPERTY = re.compile(r"[a-z][A-Za-z0-9_.*]{0,99}")
_WORD = re.compile(r"[a-z][a-z0-9]{0,31}")


_schemas: dict[type[Any], Schema] = {}


def schema_of(form: type[Any]) -> Schema:
    """The schema of a dataclass of parameters."""
    if form not in _schemas:
        _schemas[form] = _make(form)
    return _schemas[form]


def _make(form: type[Any]) -> Schema:
    hints = get_type_hints(form, include_extras=True)
    members: dict[str, Field[Any]] = {}
    for one in fields(form):
        checked: Field[Any] = get_args(hints[one.name])[1]
        checked.required = one.default is MISSING and one.default_factory is MISSING
        checked.allow_none = False
        members[one.name] = checked
    return Schema.from_dict(dict(members), name=form.__name__)(unknown=RAISE)


def load(form: type[_P], document: Mapping[str, Any]) -> _P:
    """An instance of ``form``.

    Raises:
        marshmallow.ValidationError: with the faults of every member.
    """
    schema = schema_of(form)
    ways: tuple[Way, ...] = getattr(form, "WAYS", ())
    if not document and not ways and not any(field.required for field in schema.fields.values()):
        return form()  # what the schema would give, at a tenth of its time
    if not hasattr(form, "faults"):
        return form(**schema.load(document))
    return _as_a_whole(form, document, ways)


def _as_a_whole(form: type[_P], document: Mapping[str, Any], ways: tuple[Way, ...]) -> _P:
    """Of a form whose members say more together than each alone."""
    faults: Faults = {}
    try:
        values = schema_of(form).load(document)
    except ValidationError as fault:
        faults = fault.messages if isinstance(fault.messages, dict) else {"_schema": fault.messages}
        values = fault.valid_data if isinstance(fault.valid_data, dict) else {}
    mixed = faults_of(ways, document) if ways else {}
    for found in (mixed, form.faults(values)):  # type: ignore[attr-defined] # ``load`` has looked
        faults = {**found, **faults}
    if faults:
        raise ValidationError(faults)
    return form(**values)


def _is_property(text: str) -> bool:
    return _PROPERTY.fullmatch(text) is not None


def _is_word(text: str) -> bool:
    return _WORD.fullmatch(text) is not None


def _is_boot_order(text: str) -> bool:
    return _BOOT_ORDER.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Nothing:
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Change:
    """Of an action that changes something: ``dry_run`` shows what would be done and touches nothing."""

    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class Replay:
    """Publish a range of events again, with the ids they had; without ``to`` up to the newest."""

    topic: Annotated[str, Topic()]
    from_: Annotated[int, Whole(data_key="from", least=1)]
    to: Annotated[int | None, Whole(least=1)] = None

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> Faults:
        """What is wrong with the range."""
        first, last = values.get("from_"), values.get("to")
        is_backwards = first is not None and last is not None and last < first
        return {"to": [f"must not lie before from ({first})"]} if is_backwards else {}


@dataclass(frozen=True, slots=True)
class HostUpdate:
    """The version to go to, the newest of the channel without one; and the channel, the installed version's without."""

    version: Annotated[str | None, Text(accepts=is_version, form="a version, such as 1.2.3 or 1.2.3.dev4")] = None
    channel: Annotated[str | None, Text(accepts=("rel", "dev").__contains__, form="rel or dev")] = None
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class MachineList:
    """Which members of each machine are wanted; without ``fields`` a short set."""

    fields: Annotated[
        tuple[str, ...] | None, Texts(Text(accepts=_is_property, form="the name of a property, such as nics.0.ip"))
    ] = None


@dataclass(frozen=True, slots=True)
class MachineInfo:
    """Which kinds of information are wanted (vnc, block, ...); all without ``types``."""

    types: Annotated[tuple[str, ...], Texts(Text(accepts=_is_word, form="letters and digits"))] = ()


@dataclass(frozen=True, slots=True)
class MachineCreate:
    """A vmadm ``payload``, or FiFo's ``package``, ``dataset`` and ``config``, all three of them.

    ``start`` false leaves the machine stopped, true starts it whatever autoboot says.
    """

    WAYS: ClassVar[tuple[Way, ...]] = (Way(("payload",)), Way(("package", "dataset", "config")))

    payload: Annotated[Mapping[str, Any] | None, Document()] = None
    package: Annotated[Mapping[str, Any] | None, Document()] = None
    dataset: Annotated[Mapping[str, Any] | None, Document()] = None
    config: Annotated[Mapping[str, Any] | None, Document()] = None
    start: Annotated[bool | None, Flag()] = None
    dry_run: Annotated[bool, Flag()] = False

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> Faults:
        """What is wrong inside FiFo's forms."""
        return create_faults(values)


@dataclass(frozen=True, slots=True)
class MachineUpdate:
    """A vmadm update ``payload``, or FiFo's ``config``, perhaps with a new ``package``."""

    WAYS: ClassVar[tuple[Way, ...]] = (Way(("payload",)), Way(("config",), ("package",)))

    payload: Annotated[Mapping[str, Any] | None, Document()] = None
    config: Annotated[Mapping[str, Any] | None, Document()] = None
    package: Annotated[Mapping[str, Any] | None, Document()] = None
    dry_run: Annotated[bool, Flag()] = False

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> Faults:
        """What is wrong inside FiFo's forms."""
        return update_faults(values)


@dataclass(frozen=True, slots=True)
class MachineStart:
    """An ISO image to boot from, and what to boot from this once (letters of c, d and n; d with an image)."""

    cdrom: Annotated[str | None, Path()] = None
    once: Annotated[str | None, Text(accepts=_is_boot_order, form="letters of c, d and n", size_limit=3)] = None
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class MachineStop:
    """``force`` halts at once; ``timeout`` seconds of grace before that (kvm, bhyve and docker only)."""

    force: Annotated[bool, Flag()] = False
    timeout: Annotated[int | None, Whole(least=1, most=86400)] = None
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class MachineReboot:
    """``force`` resets without asking the guest."""

    force: Annotated[bool, Flag()] = False
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class MachineDelete:
    """``force`` gives up a backup or an image that is being uploaded; without it the deletion waits for that."""

    force: Annotated[bool, Flag()] = False
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class MachineStore:
    """``force`` gives up a backup that is being uploaded, and what was written since the newest complete one."""

    force: Annotated[bool, Flag()] = False
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The snapshot's id, and a remark kept with it."""

    snapshot: Annotated[str, SnapshotName()]
    comment: Annotated[str | None, Text(size_limit=1024)] = None
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class SnapshotNamed:
    """The snapshot's id; ``force`` gives up an upload that still reads it, or one made after it."""

    snapshot: Annotated[str, SnapshotName()]
    force: Annotated[bool, Flag()] = False
    dry_run: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class CommandNamed:
    """The id of another command."""

    command: Annotated[str, Id()]


@dataclass(frozen=True, slots=True)
class CommandCancel:
    """The id of the command that shall end."""

    command: Annotated[str, Id()]
    dry_run: Annotated[bool, Flag()] = False
