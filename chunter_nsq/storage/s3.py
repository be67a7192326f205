"""The line to a store: boto3's lower half (botocore), loaded with the first request; no other file knows it.

Theory: what a checksum setting of the library adds to an upload (trailers in the body) some stores keep as if it were
data, so it is off; each part carries its signed MD5 instead, and the ETag that comes back is compared by the caller.
The library does not try again. Nothing waits for "100 Continue", which some stores and proxies never send. Sockets are
known to us, so that a request which waits for a silent store can be ended from another thread.

Not promised: a library that changes its inside may make sockets unknown to us; then a stop takes until a time-out.
"""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from chunter_nsq.errors import Fault, StorageFailed
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.body import Body
from chunter_nsq.storage.faults import refused, unreachable

log = logging.getLogger(__name__)

_CREATING = threading.Lock()
_SEEN_BY_MANY = ("assume-role", "container-role", "iam-role")  # sources of keys that ask the network


class Line:
    """A client of its own, with connections of its own."""

    def __init__(self, account: Account, connections: int) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        with _CREATING, asking(f"use the store at {account.endpoint or 'its usual address'}"):
            self.client = _client(account, connections)
        self.client.meta.events.register("before-sign.s3.UploadPart", _without_waiting)
        self.client.meta.events.register("before-sign.s3.PutObject", _without_waiting)
        self.client.meta.events.register("before-send.s3", _sending)
        if not account.traits.signs_payload:
            self.client.meta.events.register("before-sign.s3.UploadPart", _md5_is_enough)
        self._watch_sockets()

    def hang_up(self) -> None:
        """End what waits in any of its sockets."""
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            with suppress(OSError):
                # Not SSLSocket's own, which forgets its encryption while another thread may still be sending.
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def _note(self, made: socket.socket) -> None:
        with self._lock:
            self._sockets.add(made)

    def _watch_sockets(self) -> None:
        try:
            session = self.client._endpoint.http_session  # noqa: SLF001 - no other way in
            pools: dict[str, Any] = session._pool_classes_by_scheme  # noqa: SLF001 - same
            pools.update({scheme: _watched(pool, self._note) for scheme, pool in pools.items()})
        except AttributeError as moved:
            log.warning("storage.sockets_unknown", extra={"why": str(moved), "effect": "a stop may take longer"})


def has_keys_around() -> bool:
    """Whether the environment or the shared files of this user hold keys, for accounts that have none."""
    with asking("look for keys of a store"):
        return _session().get_credentials() is not None


@contextmanager
def asking(attempted: str) -> Iterator[None]:
    """What goes wrong within becomes a StorageFailed; ``attempted`` completes "cannot ..."."""
    from botocore import exceptions  # noqa: PLC0415 - 30 MB of memory that only transfers pay
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - same

    try:
        yield
    except Fault:
        raise
    except exceptions.ClientError as said:
        error = said.response.get("Error", {})
        status = int(said.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise refused(attempted, status, str(error.get("Code", "")), str(error.get("Message", ""))) from said
    except (exceptions.SSLError, exceptions.NoCredentialsError, exceptions.ParamValidationError, ValueError) as wrong:
        raise StorageFailed(f"cannot {attempted}: {wrong}", {"reason": type(wrong).__name__}) from wrong
    except (exceptions.BotoCoreError, HTTPError, http.client.HTTPException, OSError) as broken:
        raise unreachable(attempted, str(broken) or type(broken).__name__) from broken


def _client(account: Account, connections: int) -> Any:
    from botocore.config import Config  # noqa: PLC0415 - as above

    traits = account.traits
    path_style = traits.path_style if account.path_style is None else account.path_style
    config = Config(
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        tcp_keepalive=True,
        connect_timeout=account.connect_seconds,
        read_timeout=account.silence_seconds,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": 1},
        s3={"addressing_style": "path" if path_style else "virtual"},
    )
    return _session().create_client(
        "s3",
        region_name=account.region,
        endpoint_url=account.endpoint or None,
        aws_access_key_id=account.access_key or None,
        aws_secret_access_key=account.secret_key or None,
        aws_session_token=account.session_token or None,
        verify=account.ca_file or None,
        config=config,
    )


@cache
def _session() -> Any:
    """One for the process: it caches the description of the protocol, which is large."""
    from botocore.session import Session  # noqa: PLC0415 - as above

    logging.getLogger("botocore").setLevel(logging.INFO)  # below that it logs what it signs
    session = Session()
    resolver = session.get_component("credential_provider")
    for source in _SEEN_BY_MANY:
        resolver.remove(source)
    return session


def _watched(pool: Any, note: Any) -> Any:
    """The same kind of pool, whose connections tell of their sockets."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc] # botocore ships no types
        def connect(self) -> None:
            super().connect()
            note(self.sock)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _without_waiting(request: Any, **_more: Any) -> None:
    """Stores and proxies that never say "100 Continue" would cost a second a part."""
    if "Expect" in request.headers:
        del request.headers["Expect"]


def _md5_is_enough(request: Any, **_more: Any) -> None:
    """The signature covers the MD5 of the part, so that hashing it once more for the signature adds nothing."""
    from botocore.config import Config  # noqa: PLC0415 - as above

    request.context["client_config"] = Config(s3={"payload_signing_enabled": False})


def _sending(request: Any, **_more: Any) -> None:
    """Signed; what is read from the body from now on goes over the wire."""
    if isinstance(request.body, Body):
        request.body.sending = True
