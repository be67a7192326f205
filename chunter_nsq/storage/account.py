"""Where a bucket is and who we are there; what is secret in it is never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chunter_nsq.errors import InvalidMessage
from chunter_nsq.storage.profiles import PROFILES, Profile

_WORDS = ("endpoint", "bucket", "access_key", "secret_key", "session_token", "region", "profile", "ca_file")
_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A bucket of a store; without keys, those of the environment or the shared files are used.

    ``path_style`` None leaves it to the profile. ``connect_seconds`` and ``silence_seconds`` (without a byte) bound
    one attempt of one request.
    """

    endpoint: str
    bucket: str
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    region: str = "us-east-1"
    profile: str = "generic"
    path_style: bool | None = None
    ca_file: str = ""
    connect_seconds: float = 10.0
    silence_seconds: float = 120.0

    @property
    def traits(self) -> Profile:
        """What this make of store takes and promises."""
        return PROFILES[self.profile]

    def instead(self, given: Mapping[str, Any]) -> Account:
        """The same with what a command brings along: a member of ``s3`` each.

        Keys are replaced together: the secret of one account never goes along with the key of another, nor to another
        endpoint.

        Raises:
            InvalidMessage: a member that there is not, a value that is none; values are not repeated in it.
        """
        faults = [fault for name, value in given.items() if (fault := _fault(name, value))]
        moved = "endpoint" in given and given["endpoint"] != self.endpoint
        known = self.endpoint or self.secret_key  # else nobody has keys here; those of the environment are the host's
        if not faults and moved and known and not ("access_key" in given and "secret_key" in given):
            faults.append("s3.endpoint: another endpoint needs keys of its own")
        if not faults and ("access_key" in given) != ("secret_key" in given):
            faults.append("s3: access_key and secret_key go together")
        if faults:
            raise InvalidMessage(f"the account cannot be used: {'; '.join(faults)}", {"faults": faults})
        changes: dict[str, Any] = dict(given)
        if "access_key" in changes:
            changes.setdefault("session_token", "")
        return replace(self, **changes)


def _fault(name: str, value: Any) -> str | None:
    if name == "path_style":
        return None if isinstance(value, bool) else "s3.path_style: must be true or false"
    if name not in _WORDS:
        return f"s3.{name}: there is no such member"
    if not isinstance(value, str) or not value or not value.isprintable():
        return f"s3.{name}: must be text"
    if name == "endpoint" and not value.startswith(_SCHEMES):
        return "s3.endpoint: must begin with http:// or https://"
    if name == "profile" and value not in PROFILES:
        return f"s3.profile: must be one of {', '.join(PROFILES)}"
    return None
