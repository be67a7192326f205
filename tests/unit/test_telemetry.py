from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chunter_nsq.logs import Scrubber
from chunter_nsq.telemetry import Reports

# A process that plants secrets wherever one may slip in, then fails.
FAILING = """
import logging, sys
from chunter_nsq import logs, telemetry
from chunter_nsq.config import Config

config, _ = Config.read(sys.stdin.buffer.read())
scrubber = logs.Scrubber(config.secrets())
logs.configure(scrubber=scrubber)
assert telemetry.start(config, "0612ab34", scrubber)
log = logging.getLogger("chunter_nsq.somewhere")
local_password = "swordfish-local"
log.info("crumb.one", extra={"note": "using planted-s3-secret", "root_pw": "swordfish-crumb"})

def fail(argument):
    raise RuntimeError("cannot sign with planted-s3-secret, password=swordfish-text")

try:
    fail("planted-nsq-secret")
except RuntimeError:
    for _ in range(3):
        metadata = {"root_pw": "swordfish-deep"}
        log.exception("tool.failed", extra={"payload": {"internal_metadata": metadata}, "zone": "z1"})
telemetry.close(10.0)
"""

WITHOUT_DSN = """
import sys
from chunter_nsq import telemetry
from chunter_nsq.config import Config
from chunter_nsq.logs import Scrubber

assert not telemetry.start(Config(), "h", Scrubber())
telemetry.close()
print([name for name in sys.modules if name.startswith("sentry_sdk")])
"""


@pytest.fixture
def sentry():
    """A server on loopback that keeps what is posted to it: (path, headers, body)."""
    received = []

    class Keeper(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            received.append((self.path, dict(self.headers), body.decode()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keeper) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1], received
        server.shutdown()
        thread.join()


@pytest.fixture
def reported(sentry):
    """What a failing process reported: the raw envelopes, the events in them, and its log."""
    port, received = sentry
    lines = (
        f"sentry.dsn = http://publickey@127.0.0.1:{port}/42",
        "sentry.environment = staging",
        "s3.access_key = planted-s3-access",
        "s3.secret_key = planted-s3-secret",
        "nsq.auth_secret = planted-nsq-secret",
    )
    failed = subprocess.run(  # argv carries a secret as well: a report holds no command line
        [sys.executable, "-c", FAILING, "--password", "swordfish-argv"],
        input="\n".join(lines).encode(),
        check=True,
        timeout=60,
        capture_output=True,
        env={"PATH": "/usr/bin", "SECRET_ENV": "swordfish-env"},
    )
    envelopes = [body for path, _, body in received if path == "/api/42/envelope/"]
    items = [json.loads(line) for body in envelopes for line in body.splitlines()]
    return "".join(envelopes), [item for item in items if "exception" in item], failed.stderr.decode()


def test_a_fault_is_reported_once_with_its_place(reported):
    """Release, environment, host and what went before are told; repeats are held back."""
    _, events, _ = reported

    assert 1 == len(events)
    event = events[0]
    assert ("staging", "0612ab34", True, "tool.failed", "z1", "RuntimeError", "crumb.one") == (
        event["environment"],
        event["server_name"],
        event["release"].startswith("chunter-nsq@"),
        event["logentry"]["message"],
        event["extra"]["zone"],
        event["exception"]["values"][-1]["type"],
        event["breadcrumbs"]["values"][0]["message"],
    )


def test_no_planted_secret_is_in_a_report_or_in_the_log(reported):
    """Neither those of the configuration, nor those in fields, texts, local variables, arguments, environment."""
    envelopes, _, log = reported

    assert ([], [], True) == (
        re.findall(r"planted-\w+-\w+|swordfish-\w+", envelopes),
        re.findall(r"planted-\w+-\w+|swordfish-\w+", log),
        "cannot sign with ***, password=***" in envelopes,
    )


def test_a_report_holds_no_variables_command_line_or_modules(reported):
    """What is not needed to find a fault is not collected."""
    assert [] == [name for name in ("vars", "sys.argv", "modules", "request") if f'"{name}"' in reported[0]]


def test_without_a_dsn_the_library_is_not_imported():
    """Who does not report pays nothing."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_DSN], check=True, timeout=60, capture_output=True, text=True)

    assert done.stdout == "[]\n"


def test_the_same_fault_is_reported_again_after_a_minute():
    """A tool that fails each second fills no server; one that goes on failing is not forgotten."""
    now = [0.0]
    reports = Reports(Scrubber(), clock=lambda: now[0])
    event = {"logger": "a", "logentry": {"message": "m"}, "exception": {"values": [{"type": "T", "value": "v"}]}}
    sent = []
    for at in (0.0, 1.0, 59.0, 60.0, 61.0):
        now[0] = at
        sent.append(reports.before_send(dict(event), {}) is not None)

    assert [True, False, False, True, False] == sent


def test_different_faults_are_all_reported():
    """One noisy fault does not hide another."""
    reports = Reports(Scrubber(), clock=lambda: 0.0)

    assert [True, True] == [
        reports.before_send({"logger": "a", "logentry": {"message": message}}, {}) is not None for message in ("m", "n")
    ]
