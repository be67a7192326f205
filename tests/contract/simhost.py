"""A simulated host and short ways to type on it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from pathlib import Path

BASE = "e44ed3e0-910b-11ed-a5d4-00151714048c"
DEBIAN = "cf6b54f9-2952-4213-ba84-b6f64a7ec229"
CENTOS = "462d1d03-8457-e134-a408-cf9ea2b9be96"
WEB = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
NOBODY = "11111111-2222-4333-8444-555555555555"


class Host:
    """A platform root and short ways to type on it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def tool(self, name: str) -> str:
        """The executable of that name."""
        found = [path for path in (self.root / "usr/sbin" / name, self.root / "usr/bin" / name) if path.exists()]
        return str(found[0])

    def run(self, name: str, *words: str, stdin: object = None) -> subprocess.CompletedProcess[str]:
        """Type a command; ``stdin`` may be text, bytes or a JSON value."""
        given = stdin if isinstance(stdin, str | None) else json.dumps(stdin)
        return subprocess.run(
            [self.tool(name), *words], input=given or "", capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, name: str, *words: str) -> subprocess.Popen[str]:
        """Type a command and do not wait for it."""
        return subprocess.Popen(
            [self.tool(name), *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def out(self, name: str, *words: str, stdin: object = None) -> str:
        """What a command says that must succeed."""
        done = self.run(name, *words, stdin=stdin)
        assert done.returncode == 0, done
        return done.stdout

    def create(self, **payload: object) -> str:
        """Make a VM; its UUID."""
        payload = {"uuid": WEB, "brand": "joyent", "image_uuid": BASE, "alias": "web"} | payload
        done = self.run("vmadm", "create", stdin=payload)
        assert done.returncode == 0, done.stderr
        return str(payload["uuid"])

    def get(self, uuid: str = WEB) -> dict:
        """The VM object."""
        return json.loads(self.out("vmadm", "get", uuid))

    def index(self) -> str:
        """The zone index."""
        return (self.root / "etc/zones/index").read_text()

    def latency(self, **seconds: float) -> None:
        """Let verbs take time; ``vmadm_create`` stands for ``vmadm create``."""
        table = {name.replace("_", " "): value for name, value in seconds.items()}
        (self.root / "var/simulator/latency.json").write_text(json.dumps(table))

    def invocations(self) -> list[dict]:
        """What has been typed so far."""
        return [json.loads(line) for line in (self.root / "invocations.jsonl").read_text().splitlines()]

    @contextlib.contextmanager
    def events(self, *words: str):
        """``vmadm events -jr`` in the background; a growing list of its events."""
        process = self.start("vmadm", "events", "-jr", *words)
        found: list[dict] = []

        def read() -> None:
            found.extend(json.loads(line) for line in process.stdout)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            wait_for(lambda: found)
            yield found
        finally:
            process.terminate()
            process.wait(10)
            reader.join(10)
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()


def wait_for(condition, seconds: float = 10.0) -> object:
    """The condition's first true value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {condition}")
