"""One run of a platform tool: where it stands, what it was asked, what it says and how it ends."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OUT, ERR = 1, 2


class Refused(Exception):
    """The tool says ``text`` on stderr and ends with ``status``."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class Process:
    """The surroundings of a tool: its platform root, its arguments and its streams."""

    def __init__(self, root: str, tool: str, arguments: Sequence[str]) -> None:
        self.root = root
        self.tool = tool
        self.arguments = tuple(arguments)
        self.limit_bytes: int | None = None
        self._written_bytes = 0
        self._pending: list[bytes] = []

    def path(self, *parts: str) -> str:
        """A file of the platform, below its root."""
        return "/".join((self.root, *parts))

    def out(self, text: str) -> None:
        """Say something on stdout; it leaves when the tool ends or :meth:`flush` is called."""
        self._pending.append(text.encode("utf-8", "surrogateescape"))

    def line(self, text: str) -> None:
        """Say one line on stdout."""
        self.out(text + "\n")

    def err(self, text: str) -> None:
        """Say one line on stderr, at once, after what was said on stdout."""
        self.flush()
        write_all(ERR, text.encode("utf-8", "surrogateescape") + b"\n")

    def flush(self) -> None:
        """Send what is pending to stdout, up to the limit that a fault may have set."""
        content = b"".join(self._pending)
        self._pending.clear()
        self.emit(content)

    def emit(self, content: bytes) -> None:
        """Send bytes to stdout at once."""
        if self.limit_bytes is not None:
            content = content[: max(0, self.limit_bytes - self._written_bytes)]
        self._written_bytes += len(content)
        if content:
            write_all(OUT, content)

    @staticmethod
    def unheard() -> bool:
        """Whether nobody can read stdout any more."""
        import select  # noqa: PLC0415 - only a tool that runs for long asks

        poll = select.poll()
        poll.register(OUT, 0)
        return any(happened & (select.POLLERR | select.POLLHUP) for _, happened in poll.poll(0))

    def discard(self) -> None:
        """Forget what is pending on stdout."""
        self._pending.clear()

    @staticmethod
    def stdin() -> bytes:
        """All of standard input."""
        return sys.stdin.buffer.read()

    @staticmethod
    def stdin_is_terminal() -> bool:
        """Whether a person sits at standard input."""
        return os.isatty(0)


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte, or stop quietly when nobody reads any more."""
    view = memoryview(content)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except BrokenPipeError:
        return
