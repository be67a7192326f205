"""The same echo as a Celery task, and a gate that holds a worker up until its queue is full."""

from __future__ import annotations

import json
from typing import Any

from celery import Celery  # type: ignore[import-untyped]  # same as below

from benchmarks.peers.echo import answer

GATE = "gate"

app = Celery("echo")
app.conf.update(
    task_serializer="json", result_serializer="json", accept_content=["json"], worker_prefetch_multiplier=100
)


@app.task(name="echo")  # type: ignore[untyped-decorator]  # Celery ships no types
def echo(body: str) -> dict[str, Any]:
    """Answer one command."""
    return answer(json.loads(body))


@app.task(name="wait", ignore_result=True)  # type: ignore[untyped-decorator]  # same
def wait() -> None:
    """Hold the worker up until something is pushed to the gate, so that it starts on a full queue."""
    with app.connection_for_read() as connection:
        connection.default_channel.client.blpop(GATE, timeout=60)
