"""A web server that has one version to offer, newer than this tree's; a host that looks there finds it."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.release import signing
from tools.release.__main__ import publish
from tools.release.archive import Release

VERSION = "0.2.0"


class Newer:
    """The channel of releases below ``folder``; its one release is signed, and too small to be installed."""

    def __init__(self, folder: Path) -> None:
        self._public = folder / "release.pub"
        key = folder / "release.key"
        folder.mkdir()
        signing.new_key(key)
        self._public.write_bytes(signing.public(key))
        publish(folder / "rel", Release(VERSION, "rel", b"a release"), key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Silent, directory=str(folder)))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def settings(self) -> dict[str, str]:
        """What stands in the chunter.conf of a host that looks here."""
        return {
            "update.url": f"http://127.0.0.1:{self._server.server_port}",
            "update.key": f"@{self._public}",
        }

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Serve nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Who asked is of no interest."""
