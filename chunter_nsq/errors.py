"""Every refusal and fault that leaves the agent, each with its code on the wire.

A :class:`Fault` says what was attempted, why it failed and, where known, what to do. ``details`` is a JSON
object for programs; nothing secret goes into either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Fault(Exception):
    """A failure that a user is told about; ``code`` is what a controller matches on."""

    code: ClassVar[str] = "internal"
    transient: ClassVar[bool] = False

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})

    def as_dict(self) -> dict[str, Any]:
        """The ``error`` member of a result."""
        return {"code": self.code, "message": self.message, "details": self.details}


class InvalidMessage(Fault):
    """The message could be read, but is not a command; ``details.faults`` lists each place and remedy."""

    code = "invalid_message"


class UnknownAction(Fault):
    """No such action here."""

    code = "unknown_action"


class NotAuthorized(Fault):
    """No signature, a wrong one, an old one, or a key that may not do this."""

    code = "not_authorized"


class Forbidden(Fault):
    """Switched off in the configuration."""

    code = "forbidden"


class Expired(Fault):
    """Its time had passed before it could run."""

    code = "expired"


class NotFound(Fault):
    """The thing named is not on this host."""

    code = "not_found"


class AlreadyExists(Fault):
    """The thing to be made is there already."""

    code = "already_exists"


class InvalidState(Fault):
    """The thing is in a state in which this cannot be done."""

    code = "invalid_state"


class Locked(Fault):
    """Somebody else holds the lock."""

    code = "locked"


class Unsupported(Fault):
    """This host, brand or version cannot do it."""

    code = "unsupported"


class InsufficientResources(Fault):
    """Not enough memory, space or the like."""

    code = "insufficient_resources"


class ToolFailed(Fault):
    """A platform tool refused; details: argv, exit_status, stderr (its tail)."""

    code = "tool_failed"


class ToolTimeout(Fault):
    """A platform tool did not end within its time and was killed; details: argv, timeout_seconds."""

    code = "tool_timeout"


class StorageFailed(Fault):
    """The object store refused, could not be reached, or kept something else than it was given."""

    code = "storage_failed"


class ChecksumMismatch(Fault):
    """Stored bytes are not those that were stored; details: key, part, first_byte, last_byte."""

    code = "checksum_mismatch"


class NoRestorePath(Fault):
    """No chain of backups leads to that snapshot; details: path (as far as it goes), missing."""

    code = "no_restore_path"


class Cancelled(Fault):
    """Ended by command.cancel."""

    code = "cancelled"


class Interrupted(Fault):
    """The agent ended while it ran, and the host does not show that it was done."""

    code = "interrupted"


class Internal(Fault):
    """A fault of the agent itself; it is in the log with its traceback."""

    code = "internal"
