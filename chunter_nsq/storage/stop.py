"""A request to end that reaches threads wherever they wait: in a lock, in a pipe, in a socket."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from chunter_nsq.errors import Cancelled


class Stop:
    """Set once, from any thread; ``fileno`` becomes readable then, for those who poll descriptors.

    It holds two descriptors until ``close``.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._then: list[Callable[[], None]] = []
        self._readable, self._writable = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def set(self) -> None:
        """Ask all to end; what was to be done then is done now, in this thread."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            then = list(self._then)
            if self._writable >= 0:
                os.write(self._writable, b"!")
        for do in then:
            do()

    def is_set(self) -> bool:
        """Whether it was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises Cancelled when it was asked for."""
        if self._event.is_set():
            raise Cancelled("the transfer was stopped")

    def wait(self, seconds: float) -> None:
        """Wait, and raise Cancelled as soon as it is asked for."""
        if self._event.wait(seconds):
            self.check()

    def fileno(self) -> int:
        """A descriptor that is readable from then on."""
        return self._readable

    @contextmanager
    def calling(self, do: Callable[[], None]) -> Iterator[None]:
        """Within it ``do`` is called when the end is asked for; at once when it was before."""
        with self._lock:
            late = self._event.is_set()
            self._then.append(do)
        try:
            if late:
                do()
            yield
        finally:
            with self._lock:
                self._then.remove(do)

    def close(self) -> None:
        """Give the descriptors back."""
        with self._lock:
            for descriptor in (self._readable, self._writable):
                if descriptor >= 0:
                    os.close(descriptor)
            self._readable = self._writable = -1
