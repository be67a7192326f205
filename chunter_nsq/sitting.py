"""One session at a console: keys from one topic, the screen to another, until somebody or something ends it.

Theory: a session is a task with a terminal (smartos/terminal.py). It publishes each piece and waits for nsqd's OK
before it takes the next one; when nsqd is away, or the sender is fast, the terminal is not read, and the zone waits.
What is on the screen goes into no journal and no log: there may be a password in it.

Not promised: that what is shown arrives once (numbers tell); keys of nobody who signs, where commands are not signed:
whoever may publish may type.
"""

from __future__ import annotations

import asyncio
import base64
import codecs
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chunter_nsq.errors import Fault, Interrupted, InvalidMessage, Locked, NotAuthorized
from chunter_nsq.messages.console_params import Typed, typed
from chunter_nsq.messages.events import Event, encode, timestamp
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import refusal
from chunter_nsq.smartos.runner import Runner, Terminal
from chunter_nsq.smartos.terminal import Size

log = logging.getLogger(__name__)

PIECE_BYTES = 16 * 1024
BYTES_PER_SECOND = 256 * 1024
READY_SECONDS = 1.0  # so long a console may say nothing and still be one
PUBLISH_SECONDS = 60.0
_RETRY_SECONDS = 0.5
_LAST_SECONDS = 2.0
_EARLY_SECONDS = 5.0  # clocks of this host and nsqd may differ by so much
_IN_USE = "already in use by process"


class Delivery(Protocol):
    """A message of an input topic."""

    @property
    def body(self) -> bytes:
        """The message itself."""

    @property
    def timestamp_ns(self) -> int:
        """When nsqd took it."""


class Input(Protocol):
    """What reads an input topic."""

    async def start(self) -> None:
        """Begin."""

    async def wait_ready(self, timeout_seconds: float) -> bool:
        """Whether it reads."""

    async def close(self) -> None:
        """End for good."""


@dataclass(frozen=True, slots=True)
class Means:
    """What sessions are made with: ``check`` raises NotAuthorized for what is not signed as commands are.

    ``permanent`` is what ``publish`` raises for what no retry can mend.
    """

    runner: Runner
    publish: Callable[[str, Sequence[bytes]], Awaitable[None]]
    permanent: type[Exception]
    listen: Callable[[str, Callable[[Delivery], Awaitable[None]]], Input]
    check: Callable[[Mapping[str, Any], str], object]
    is_signed: Callable[[], bool]
    idle_seconds: Callable[[], float]
    host: str
    prefix: str


class Sitting:
    """``ran`` says whether the machine was seen running; ``fault`` why it could not be opened."""

    def __init__(self, means: Means, name: str, uuid: str, topics: Mapping[str, str], *, ran: bool) -> None:
        self.name = name
        self.uuid = uuid
        self.topics = dict(topics)
        self.ran = ran
        self.fault: Fault | None = None
        self._means = means
        self._terminal: Terminal | None = None
        self._task: asyncio.Task[None]
        self._ready = asyncio.Event()
        self._reason: str | None = None
        self._opened = time.time()
        self._typed_at = time.monotonic()
        self._number = 0
        self._sequence = 0
        self._epoch = secrets.token_hex(6)

    async def open(self, argv: tuple[str, ...], size: Size, over: Callable[[Sitting], None]) -> None:
        """Begin; returns when the console is there. ``over`` is called at the end. Raises what the tool said."""
        self._task = asyncio.create_task(self._run(argv, size), name=f"console {self.name}")
        self._task.add_done_callback(lambda _: over(self))
        await self._ready.wait()
        if self.fault is not None:
            raise self.fault

    def resize(self, size: Size) -> None:
        """Another size of the screen."""
        if self._terminal is not None:
            self._terminal.resize(size)

    def end(self, reason: str) -> None:
        """Have it end; what came first is the reason."""
        if self._reason is None:
            self._reason = reason
            self._task.cancel()

    async def ended(self) -> None:
        """Wait for its end."""
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, argv: tuple[str, ...], size: Size) -> None:
        message = None
        try:
            await self._talk(argv, size)
        except asyncio.CancelledError:
            log.debug("console.cancelled", extra={"session": self.name})
        except Fault as fault:
            self.fault, self._reason, message = fault, self._reason or "failed", fault.message
        except Exception:
            log.exception("console.broken", extra={"session": self.name})
            self._reason = "failed"
        if not self._ready.is_set():
            self.fault = self.fault or Interrupted(f"the console of {self.uuid} was closed while it was opened")
            self._ready.set()
            return
        reason = self._reason or "console_ended"
        log.info("console.closed", extra={"session": self.name, "machine": self.uuid, "reason": reason})
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self._tell("closed", {"session": self.name, "reason": reason, "message": message})
        except (TimeoutError, Fault):
            log.warning("console.end_untold", extra={"session": self.name})

    async def _talk(self, argv: tuple[str, ...], size: Size) -> None:
        async with self._means.runner.terminal(argv, size) as terminal:
            first = await _first(terminal, argv)
            self._terminal = terminal
            keys = self._means.listen(self.topics["input"], self._heard)
            await keys.start()
            idle = asyncio.create_task(self._idle())
            try:
                await keys.wait_ready(READY_SECONDS)
                self._ready.set()
                log.info("console.opened", extra={"session": self.name, "machine": self.uuid})
                await self._show(terminal, first)
            finally:
                idle.cancel()
                await keys.close()

    async def _idle(self) -> None:
        rest = self._means.idle_seconds()
        while rest > 0:
            await asyncio.sleep(rest)
            rest = self._typed_at + self._means.idle_seconds() - time.monotonic()
        self.end("idle")

    async def _show(self, terminal: Terminal, first: bytes) -> None:
        """Pieces in their order; a character that is cut in two waits for its other half."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        content = first or await terminal.read(PIECE_BYTES)
        while content:
            begun = time.monotonic()
            held, _ = decoder.getstate()
            try:
                said = {"output": decoder.decode(content), "encoding": "utf-8"}
            except UnicodeDecodeError:
                decoder.reset()
                said = {"output": base64.b64encode(held + content).decode(), "encoding": "base64"}
            if said["output"]:
                await self._tell("output", {"session": self.name, **said})
            await asyncio.sleep(max(0.0, begun + len(content) / BYTES_PER_SECOND - time.monotonic()))
            content = await terminal.read(PIECE_BYTES)

    async def _tell(self, kind: str, data: dict[str, Any]) -> None:
        """Publish; a publish that may have been taken is sent again under the same number."""
        means, topic = self._means, self.topics["output"]
        self._sequence += 1
        event = Event(topic, f"chunter.console.{kind}", self.uuid, {"event": kind, "data": data}, absolute=True)
        stamp = timestamp(time.time())
        body = encode(event, host=means.host, epoch=self._epoch, topic=topic, sequence=self._sequence, time=stamp)
        give_up_at = time.monotonic() + PUBLISH_SECONDS
        while True:
            try:
                await means.publish(topic, [body])
            except means.permanent as fault:
                raise InvalidMessage(f"{topic} cannot be published to: {fault}") from fault
            except Exception as fault:
                if time.monotonic() > give_up_at:
                    raise Interrupted(f"nothing could be published for {PUBLISH_SECONDS:.0f} s: {fault}") from fault
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _heard(self, delivery: Delivery) -> None:
        """Keys; what is none is told on the session's output, and not asked for again."""
        if delivery.timestamp_ns / 1e9 < self._opened - _EARLY_SECONDS:
            log.warning("console.early_input", extra={"session": self.name, "bytes": len(delivery.body)})
            return
        try:
            keys = self._keys(delivery.body)
        except Fault as fault:
            log.warning("console.input_refused", extra={"session": self.name, "reason": fault.message})
            await self._tell("refused", {"session": self.name, "code": fault.code, "message": fault.message})
            return
        if keys is None or self._terminal is None:
            return
        self._typed_at = time.monotonic()
        if keys.resize is not None:
            self._terminal.resize(Size(keys.resize.cols, keys.resize.rows))
        if keys.input or keys.input_base64:
            await self._terminal.write(keys.input.encode("utf-8", "surrogateescape") + keys.input_base64)

    def _keys(self, body: bytes) -> Typed | None:
        """What is to be typed; None for what was typed before."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise InvalidMessage('this is nothing that can be typed: send a JSON object such as {"input": "ls\\r"}')
        keys = typed(document)
        self._means.check(document, self.uuid)
        if self._means.is_signed() and (keys.session != self.name or keys.number is None):
            raise NotAuthorized("what is typed is signed with the session and a number in it")
        if keys.number is not None:
            if keys.number <= self._number:
                return None
            self._number = keys.number
        return keys


async def _first(terminal: Terminal, argv: tuple[str, ...]) -> bytes:
    """What a console shows first; raises what the tool said when it is none."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            first = await terminal.read(PIECE_BYTES)
    except TimeoutError:
        return b""
    if first or terminal.exit_status == 0:
        return first
    completed = Completed(argv, terminal.exit_status or 0, b"", terminal.stderr, 0.0)
    if _IN_USE in completed.stderr:
        words = completed.stderr.strip()
        raise Locked(f"somebody else sits at that console: {words}", {"stderr": words})
    raise refusal(completed, "open the console")
