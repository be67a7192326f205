"""The threads of one transfer: the first fault of any of them ends it for all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from chunter_nsq.storage.stop import Stop


class Crew:
    """Daemon threads that do jobs in the order in which they are given, by kind of work.

    Leaving the context well waits for all jobs; leaving it with an exception, or a fault of a job, sets ``stop`` and
    waits ``grace_seconds`` for the threads. The fault that came first is the one that is raised.
    """

    def __init__(self, stop: Stop, name: str, grace_seconds: float = 0.5) -> None:
        self.stop = stop
        self._name = name
        self._grace_seconds = grace_seconds
        self._fault: BaseException | None = None
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._queues: list[tuple[SimpleQueue[Callable[[], None] | None], int]] = []

    def workers(self, count: int, kind: str) -> Callable[[Callable[[], None]], None]:
        """Start ``count`` threads; what is returned gives them a job. Jobs are dropped once the transfer is stopped."""
        jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._queues.append((jobs, count))
        for number in range(count):
            self.thread(lambda: self._serve(jobs), f"{kind}-{number}")
        return jobs.put

    def thread(self, work: Callable[[], None], kind: str) -> None:
        """Start one thread for one long piece of work."""
        name = f"{self._name}-{kind}"
        thread = threading.Thread(target=self._watch, args=(work,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def fail(self, fault: BaseException) -> None:
        """Remember the first fault and end everything."""
        with self._lock:
            if self._fault is None:
                self._fault = fault
        self.stop.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, fault: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if fault is not None:
            self.fail(fault)
        for jobs, count in self._queues:
            for _ in range(count):
                jobs.put(None)
        self._join()
        first = self._fault
        if first is not None and first is not fault:
            raise first

    def _join(self) -> None:
        for thread in self._threads:
            while thread.is_alive() and not self.stop.is_set():
                thread.join(0.2)
        give_up_at = time.monotonic() + self._grace_seconds
        for thread in self._threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))

    def _serve(self, jobs: SimpleQueue[Callable[[], None] | None]) -> None:
        while (job := jobs.get()) is not None and not self.stop.is_set():
            job()

    def _watch(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as fault:  # noqa: BLE001 - it is raised again where the transfer is waited for
            self.fail(fault)
