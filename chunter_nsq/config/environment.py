"""What of the environment must be shown to nobody."""

from __future__ import annotations

import os
from collections.abc import Mapping

from chunter_nsq.smartos.stars import is_secret

_KEY = "_KEY"


def secret_values(
    environment: Mapping[str, str] = os.environ,  # noqa: TID251 - beside paths.py the other door to the environment
) -> tuple[str, ...]:
    """The values of variables that hold secrets, by their names (AWS_SECRET_ACCESS_KEY, ...)."""
    return tuple(value for name, value in environment.items() if name.endswith(_KEY) or is_secret(name, value))
