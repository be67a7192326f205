"""Keys of an object store that came with a command stay in memory: what is written down has a word in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WITHHELD = "(withheld)"
SECRET_MEMBERS = ("access_key", "secret_key", "session_token")


def without_keys(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of a command as it may be written down."""
    params = document.get("params")
    store = params.get("s3") if isinstance(params, dict) else None
    if not isinstance(params, dict) or not isinstance(store, dict):
        return document
    kept = {name: WITHHELD if name in SECRET_MEMBERS else value for name, value in store.items()}
    return {**document, "params": {**params, "s3": kept}}
