"""The pages of the status listener."""

from __future__ import annotations

import json

from chunter_nsq.status.pages import Pages


def _pages(*missing: str) -> Pages:
    return Pages(lambda: {"host": "h", "missing": list(missing)}, lambda: b"chunter_ready 1.0\n")


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
    assert b"/healthz" in _pages().answer("GET", "/").body
    assert (404, 405) == (_pages().answer("GET", "/x").status, _pages().answer("POST", "/readyz").status)
