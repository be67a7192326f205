"""The live page: one file that needs nothing from anywhere else, and is allowed nothing else by its own policy."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from pathlib import Path

from chunter_nsq.status.pages import Answer

FILE = Path(__file__).with_name("page.html")
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@functools.cache
def page() -> Answer:
    """The page, with a policy that lets run what stands in it and nothing else."""
    text = FILE.read_text("utf-8")
    allowed = {kind: _fingerprint(content) for kind, content in _INLINE.findall(text)}
    policy = (
        f"default-src 'none'; script-src '{allowed['script']}'; style-src '{allowed['style']}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    return Answer(200, "text/html; charset=utf-8", text.encode(), headers)


def _fingerprint(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
