"""Set-ups that are broken on purpose, each in one way, and the words that name its fault."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from bus_parts import Inbox, connection, consuming
from nsq_servers import Nsqd, Nsqlookupd, free_port
from s3_proxy import FaultProxy
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.testing import bind_unused_port

from chunter_nsq.config import Paths
from chunter_nsq.database import Database
from chunter_nsq.smartos import simulator
from chunter_nsq.storage.account import Account

HOST = "06fa1af3-5b26-4454-bec7-e86fa9b88fa5"


class Tree:
    """An installed tree on a simulated platform, towards an nsqd that runs: well, but for what is done to it."""

    def __init__(self, folder: Path, nsqd: Nsqd) -> None:
        self.nsqd = nsqd
        self.folder = folder
        self.root = folder / "chunter"
        self.platform = simulator.create(folder / "platform", zones=1)
        (self.root / "etc").mkdir(parents=True)
        (self.root / "etc" / "hostid").write_text(f"{HOST}\n")
        self.keys = self.root / "etc" / "command.keys"
        self.keys.write_text(json.dumps({"ops": {"secret": "a secret that is long enough"}}))
        self.keys.chmod(0o600)
        self.settings = {
            "platform_root": str(self.platform),
            "nsqd": nsqd.tcp_address,
            "nsqd_http": nsqd.http_address,
            "command_keys": str(self.keys),
            "status_listen": f"127.0.0.1:{free_port()}",
        }
        self.configure()

    @property
    def paths(self) -> Paths:
        """Where its files are."""
        return Paths.find(self.root, environment={})

    def configure(self, *more: str, **changed: str) -> None:
        """Write chunter.conf; ``more`` are whole lines."""
        self.settings.update({name.replace("__", "."): value for name, value in changed.items()})
        lines = [f"{key} = {value}" for key, value in self.settings.items()]
        file = self.root / "etc" / "chunter.conf"
        file.write_text("\n".join((*lines, *more, "")))
        file.chmod(0o600)


Break = Callable[[Tree, AsyncExitStack], object]


@dataclass(frozen=True)
class Broken:
    """How a tree is broken, which check finds it, and words that its sentence must have."""

    name: str
    harm: Break
    check: str
    words: str


async def _foreign(tree: Tree, stack: AsyncExitStack) -> None:
    taker = connection(tree.nsqd, user_agent="nsq_tail/1.3.0", hostname="curious")
    await stack.enter_async_context(consuming(taker, "chunter.command", Inbox().accept, channel=HOST))


async def _twin(tree: Tree, stack: AsyncExitStack) -> None:
    for number in (1, 2):
        agent = connection(tree.nsqd, user_agent=f"chunter/1 ({number})", hostname=HOST)
        await stack.enter_async_context(consuming(agent, "chunter.command", Inbox().accept, channel=HOST))


async def _auth(tree: Tree, stack: AsyncExitStack) -> None:
    def door(request: HTTPServerRequest) -> None:
        _answered(request, 403, b"{}")

    address = await stack.enter_async_context(_http(door))
    tree.configure(nsqd=_second(tree, stack, f"--auth-http-address={address}").tcp_address, nsq__auth_secret="sesame")


async def _no_secret(tree: Tree, stack: AsyncExitStack) -> None:
    tree.configure(nsqd=_second(tree, stack, f"--auth-http-address=127.0.0.1:{free_port()}").tcp_address)


async def _skewed(tree: Tree, stack: AsyncExitStack) -> None:
    def lookupd(request: HTTPServerRequest) -> None:
        _answered(request, 200, b'{"producers":[]}', "Sun, 22 Nov 2020 10:00:00 GMT")

    tree.configure(nsqlookupd=await stack.enter_async_context(_http(lookupd)))


def _store(account: Account, harm: str | None = None, **target: str) -> Break:
    def break_(tree: Tree, stack: AsyncExitStack) -> None:
        proxy = stack.enter_context(FaultProxy(account.endpoint))
        if harm:
            proxy.harm(harm, "GET", path="chunter-probe")
        keys = {"s3__access_key": account.access_key, "s3__secret_key": account.secret_key}
        tree.configure(**{"s3__endpoint": proxy.endpoint, "s3__bucket": account.bucket, **keys, **target})

    return break_


def _sick(tree: Tree, _stack: AsyncExitStack) -> None:
    told = {"health": "DEGRADED", "devices": {"c1t1d0": ["FAULTED", 3, 41, 0]}, "errors": 0}
    (tree.platform / "var" / "simulator" / "zpool.json").write_text(json.dumps(told))


def _journal(tree: Tree, _stack: AsyncExitStack) -> None:
    (tree.root / "var").mkdir()
    tree.paths.database.write_bytes(b"this is no database" * 1000)


async def _newer_journal(tree: Tree, _stack: AsyncExitStack) -> None:
    database = Database(tree.paths.database)
    await database.open()
    await database.close()
    with closing(sqlite3.connect(tree.paths.database)) as connection:
        connection.execute("PRAGMA user_version=99")


def _second(tree: Tree, stack: AsyncExitStack, *flags: str) -> Nsqd:
    return stack.enter_context(Nsqd(tree.folder / "nsqd2", flags))


def _answered(request: HTTPServerRequest, status: int, body: bytes, date: str | None = None) -> None:
    told = f"Date: {date}\r\n" if date else ""
    head = f"HTTP/1.1 {status} said\r\nContent-Length: {len(body)}\r\n{told}Connection: close\r\n\r\n"
    assert request.connection is not None
    stream = request.connection.detach()  # type: ignore[attr-defined]
    stream.write(head.encode() + body).add_done_callback(lambda _: stream.close())


@asynccontextmanager
async def _http(answer: Callable[[HTTPServerRequest], None]) -> AsyncIterator[str]:
    listening, port = bind_unused_port()
    server = HTTPServer(answer)
    server.add_socket(listening)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop()
        await server.close_all_connections()


def broken(account: Account) -> list[Broken]:
    """All of them; ``account`` is of a store that is well."""
    return [
        Broken(
            "mistyped key", lambda t, _: t.configure("lane.machin = 4"), "configuration", "did you mean lane.machine"
        ),
        Broken("wrong key file", lambda t, _: t.keys.write_text("{"), "command keys", "cannot be read as JSON"),
        Broken("empty host id", lambda t, _: (t.root / "etc/hostid").write_text(""), "host id", "hostid is empty"),
        Broken("broken journal", _journal, "journal", "file is not a database"),
        Broken("newer journal", _newer_journal, "journal", "a newer chunter wrote it (schema 99"),
        Broken("no vmadm", lambda t, _: (t.platform / "usr/sbin/vmadm").unlink(), "tools", "usr/sbin/vmadm"),
        Broken("zfs barred", lambda t, _: (t.platform / "usr/sbin/zfs").chmod(0o600), "tools", "may not be run"),
        Broken("foreign ip", lambda t, _: t.configure(ip="192.0.2.7:4200"), "ip", "on no interface of this host"),
        Broken("sick pool", _sick, "pools", "zones is DEGRADED"),
        Broken("no nsqd", lambda t, _: t.configure(nsqd=f"127.0.0.1:{free_port()}"), "nsqd", "cannot be reached"),
        Broken("no TLS there", lambda t, _: t.configure(nsq__tls="on"), "nsqd", "does not offer TLS"),
        Broken("AUTH refused", _auth, "nsqd", "E_AUTH_FAILED"),
        Broken("no secret", _no_secret, "nsqd", "wants AUTH"),
        Broken("lookupd's other port", _other_port, "nsqlookupd", "cannot be reached"),
        Broken("a stranger", _foreign, "channel", "nsq_tail/1.3.0 on curious"),
        Broken("a twin", _twin, "channel", f"2 agents have the id {HOST}"),
        Broken("clock years off", _skewed, "clock", "ahead of that of http://127.0.0.1"),
        Broken("mangling store", _store(account, "flip"), "store", "gives back what it was given"),
        Broken("wrong S3 key", _store(account, s3__secret_key="another one"), "store", "SignatureDoesNotMatch"),
        Broken("port taken", lambda t, _: t.configure(status_listen=t.nsqd.http_address), "agent", "is no agent"),
    ]


def _other_port(tree: Tree, stack: AsyncExitStack) -> None:
    lookupd = stack.enter_context(Nsqlookupd(tree.folder / "lookupd"))
    tree.configure(nsqlookupd=lookupd.tcp_address)


@asynccontextmanager
async def harmed(tree: Tree, one: Broken) -> AsyncIterator[Tree]:
    """The tree, broken for a while."""
    async with AsyncExitStack() as stack:
        done = one.harm(tree, stack)
        if asyncio.iscoroutine(done):
            await done
        yield tree
