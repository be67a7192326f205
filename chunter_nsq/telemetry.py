"""Reports of the agent's own faults to a Sentry server, when ``sentry.dsn`` names one.

What is logged as an error, and what nobody caught, is reported with its traceback. A report passes the same scrubber
as the log, and holds no local variables, no command line, no list of modules and no environment. The same fault is
reported once a minute at most. Without a DSN the library is not even imported.

Not promised: that a report arrives. Reports are sent by a thread in the background and thrown away when the server
does not answer.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from chunter_nsq import __version__
from chunter_nsq.config import Config
from chunter_nsq.logs import Scrubber

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

REPEAT_SECONDS = 60.0
REMEMBERED_FAULTS = 1000
CLOSE_SECONDS = 2.0


class Reports:
    """What leaves for Sentry: scrubbed, and each fault once a minute."""

    def __init__(self, scrubber: Scrubber, clock: Callable[[], float] = time.monotonic) -> None:
        self._scrubber = scrubber
        self._clock = clock
        self._last: dict[str, float] = {}

    def before_send(self, event: Event, _hint: Hint) -> Event | None:
        """The event without secrets; None when the same one has just been sent."""
        scrubbed = cast("Event", self._scrubber.data(event))
        return None if self._repeated(scrubbed) else scrubbed

    def _repeated(self, event: Event) -> bool:
        now, fault = self._clock(), _fault(cast("dict[str, Any]", event))
        self._last = {known: sent for known, sent in self._last.items() if now - sent < REPEAT_SECONDS}
        if fault in self._last or len(self._last) >= REMEMBERED_FAULTS:
            return True
        self._last[fault] = now
        return False


def _fault(event: dict[str, Any]) -> str:
    """What makes two reports the same: the logger, the event name and the exceptions."""
    exceptions = [(each.get("type"), each.get("value")) for each in (event.get("exception") or {}).get("values") or ()]
    return repr((event.get("logger"), (event.get("logentry") or {}).get("message"), exceptions))


def start(config: Config, host: str, scrubber: Scrubber) -> bool:
    """Report faults of this process from now on; False when no DSN is configured."""
    if not config.sentry_dsn:
        return False
    import sentry_sdk  # noqa: PLC0415 - 5 MB of memory that only those pay who report
    from sentry_sdk.integrations.atexit import AtexitIntegration  # noqa: PLC0415 - as above
    from sentry_sdk.integrations.dedupe import DedupeIntegration  # noqa: PLC0415 - as above
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration  # noqa: PLC0415 - as above
    from sentry_sdk.integrations.logging import LoggingIntegration  # noqa: PLC0415 - as above

    sentry_sdk.init(
        dsn=config.sentry_dsn,
        environment=config.sentry_environment,
        release=f"chunter-nsq@{__version__}",
        server_name=host,
        before_send=Reports(scrubber).before_send,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            AtexitIntegration(callback=lambda _pending, _timeout: None),
            DedupeIntegration(),
            ExcepthookIntegration(),
            LoggingIntegration(level=logging.INFO, event_level=logging.ERROR),
        ],
        include_local_variables=False,
        max_request_body_size="never",
        send_default_pii=False,
        auto_session_tracking=False,
        spotlight=False,
        debug=False,
        shutdown_timeout=CLOSE_SECONDS,
    )
    return True


def close(timeout_seconds: float = CLOSE_SECONDS) -> None:
    """Wait for reports under way and stop, for ``timeout_seconds`` at most; harmless when nothing was started."""
    sentry = sys.modules.get("sentry_sdk")
    if sentry is not None:
        sentry.get_client().close(timeout=timeout_seconds)
        sentry.get_global_scope().set_client(None)
