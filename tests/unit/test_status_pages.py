"""The pages of the status listener."""

from __future__ import annotations

import json
import re

from chunter_nsq.inventory import Machine
from chunter_nsq.status.pages import Pages, Sources

MACHINE = Machine("u", "web0", "joyent", "running", 256)


def _pages(*missing: str) -> Pages:
    async def commands(count: int) -> list[dict[str, object]]:
        return [{"command": "c", "asked": count}]

    def state() -> dict[str, object]:
        return {"host": "h", "missing": list(missing)}

    return Pages(Sources(state, lambda: b"chunter_ready 1.0\n", lambda: [MACHINE], commands))


def test_what_is_missing_is_said():
    """Readiness is 503 with each thing that is missing on its line, else 200."""
    assert (200, b"ready\n") == (_pages().answer("GET", "/readyz").status, _pages().answer("GET", "/readyz").body)
    answer = _pages("no nsqd").answer("GET", "/readyz")
    assert (503, b"no nsqd\n") == (answer.status, answer.body)


def test_health_state_and_figures_are_there():
    """Each page has its own content type."""
    pages = _pages()
    assert b"ok\n" == pages.answer("GET", "/healthz").body
    assert {"host": "h", "missing": []} == json.loads(pages.answer("HEAD", "/api/status").body)
    assert pages.answer("GET", "/metrics").content_type.startswith("text/plain; version=0.0.4")


def test_other_pages_and_methods_are_refused_in_words():
    """An unknown page names those that are there; nothing is changed here."""
    assert b"/healthz" in _pages().answer("GET", "/x").body
    assert (404, 405) == (_pages().answer("GET", "/x").status, _pages().answer("POST", "/readyz").status)


async def test_machines_and_commands_are_json():
    """A list of each."""
    pages = _pages()
    machine = {"uuid": "u", "alias": "web0", "brand": "joyent", "state": "running", "memory_mib": 256}
    assert [machine] == json.loads(pages.answer("GET", "/api/machines").body)
    assert [{"command": "c", "asked": 100}] == json.loads((await pages.answer("GET", "/api/commands")).body)


def test_the_page_may_run_nothing_but_itself():
    """Its policy names the one script and the one style by their hashes, and it asks for nothing from elsewhere."""
    answer = _pages().answer("GET", "/")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert ("unsafe" in policy, "http:" in policy, "*" in policy) == (False, False, False)
    text = answer.body.decode()
    assert [] == re.findall(r"(?:src|href)\s*=|url\(|@import|innerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert [] == re.findall(r"""<[^>]+\s(?:on\w+|style)=""", text)
