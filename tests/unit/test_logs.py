from __future__ import annotations

import io
import json
import logging
import re
import time
from contextvars import ContextVar

import pytest

from chunter_nsq import logs
from chunter_nsq.logs import STARS, Scrubber

log = logging.getLogger("chunter_nsq.somewhere")
SECRET = 'hunter2/+x"y'


@pytest.fixture
def command():
    """The id of the running command."""
    return ContextVar("command", default=None)


@pytest.fixture
def written(command):
    """Sets the log up in a form; gives what was written since."""
    root = logging.getLogger()
    before = root.level
    streams = []

    def set_up(form="json", level="info"):
        streams.append(io.StringIO())
        logs.configure(level, form, streams[-1], command, Scrubber([SECRET]))
        return streams[-1].getvalue

    yield set_up
    logs.remove()
    root.setLevel(before)


def test_a_record_is_one_json_object_a_line(written):
    """Event, level, logger and the facts are members."""
    text = written()
    log.warning("nsq.publish_timeout", extra={"topic": "chunter.zone", "seconds": 1.5, "line": "a\nb"})
    line = json.loads(text())

    assert (
        {
            "level": "warning",
            "event": "nsq.publish_timeout",
            "logger": "chunter_nsq.somewhere",
            "topic": "chunter.zone",
            "seconds": 1.5,
            "line": "a\nb",
        },
        1,
    ) == ({name: value for name, value in line.items() if name != "time"}, len(text().splitlines()))


def test_the_time_is_utc_with_milliseconds(written):
    """As in 2026-11-22T08:39:41.123Z."""
    text = written()
    log.info("a")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", json.loads(text())["time"])


def test_the_running_command_is_on_every_line(written, command):
    """Nobody has to pass it along; a line outside a command has none."""
    text = written()
    log.info("outside")
    token = command.set("c-1")
    log.info("inside")
    command.reset(token)

    assert [None, "c-1"] == [json.loads(line).get("command") for line in text().splitlines()]


def test_an_exception_is_one_member(written):
    """The traceback does not spread over lines."""
    text = written()
    log.error("a.failed", exc_info=ValueError("boom"))
    line = json.loads(text())

    assert (False, True) == (
        "\n" in text()[:-1],
        line["exception"].endswith("ValueError: boom"),
    )


def test_a_fact_does_not_hide_a_member_of_the_line(written):
    """A field named like one of ours gets an underscore."""
    text = written()
    log.info("a", extra={"event": "b", "time": "c"})
    line = json.loads(text())

    assert ("a", "b", "c") == (line["event"], line["event_"], line["time_"])


def test_text_is_one_line_a_record(written, command):
    """For eyes: time, level, event, then name=value, quoted where needed."""
    text = written("text")
    command.set("c-1")
    log.error("zone.lost", extra={"zone": "a b", "count": 2, "cause": "x\ny"})

    assert re.fullmatch(
        r'\S+Z ERROR   zone\.lost logger=chunter_nsq\.somewhere command=c-1 zone="a b" count=2 cause="x\\ny"\n', text()
    )


def test_an_event_cannot_forge_a_line_of_text(written):
    """A line break in a message is quoted."""
    text = written("text")
    log.info("a\n2026-01-01T00:00:00.000Z ERROR   forged")

    assert 1 == len(text().splitlines())


def test_what_json_does_not_know_is_written_as_text(written):
    """Bytes, numbers that are none, sets, objects and deep nesting never make logging fail."""
    deep = []
    for _ in range(50):
        deep = [deep]
    text = written()
    log.info("a", extra={"b": b"x\xff", "f": float("nan"), "s": {1}, "o": pytest, "d": deep, "k": {1: 2}})
    line = json.loads(text())

    assert ("x\ufffd", "nan", [1], {"1": 2}) == (line["b"], line["f"], line["s"], line["k"])


def test_the_level_changes_at_run_time(written):
    """A refresh takes effect at once."""
    text = written()
    log.debug("before")
    logs.set_level("debug")
    log.debug("after")

    assert ["after"] == [json.loads(line)["event"] for line in text().splitlines()]


def test_libraries_that_know_credentials_stay_quiet(written):
    """Debug lines of botocore hold signatures."""
    text = written(level="debug")
    logging.getLogger("botocore.auth").debug("signature")

    assert text() == ""


def test_a_second_set_up_replaces_the_first(written):
    """No line is written twice."""
    first, second = written(), written()
    log.info("a")

    assert ("", 1) == (first(), len(second().splitlines()))


def test_no_secret_reaches_the_log(written):
    """Neither in the event, a fact, a nested fact, a name, nor a traceback."""
    text = written()
    fault = ValueError(f"cannot log in with {SECRET!r}")
    log.error("failed %s", SECRET, exc_info=fault, extra={"a": [{SECRET: SECRET}], "root_pw": "swordfish"})

    assert (False, False) == ("hunter2" in text(), "swordfish" in text())


@pytest.mark.parametrize(
    "text", [SECRET, json.dumps(SECRET), repr(SECRET), "?secret=hunter2%2F%2Bx%22y&x", "/hunter2/%2Bx%22y/"]
)
def test_registered_values_are_starred_however_they_are_written(text):
    """As they are, in JSON, in Python and in URLs."""
    scrubbed = Scrubber([SECRET]).text(text)

    assert (False, True) == ("hunter2" in scrubbed, STARS in scrubbed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=foo bar", "password=*** bar"),
        ('{"root_pw": "a\\"b", "ram": 1}', '{"root_pw": ***, "ram": 1}'),
        ("{'access_key': 'AKIA', 'x': 1}", "{'access_key': ***, 'x': 1}"),
        (r"{\"secret\": \"a b\", \"x\": 1}", r"{\"secret\": ***, \"x\": 1}"),
        ("Authorization: Bearer abc.def next", "Authorization: *** next"),
        ("hmac=abc&ts=1", "hmac=***&ts=1"),
        ("dsn = https://k@host/1", "dsn = ***"),
        ("at https://key:word@host/1", "at https://***@host/1"),
        ("root_authorized_keys=ssh-rsa AAAA", "root_authorized_keys=ssh-rsa AAAA"),
        ("the secret of success", "the secret of success"),
        ("tls_key=/etc/key.pem", "tls_key=/etc/key.pem"),
    ],
)
def test_named_values_in_text_are_starred(text, expected):
    """What stands behind a secret's name goes, what stands after it stays."""
    assert expected == Scrubber().text(text)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "root_pw",
        "pw",
        "S3_SECRET_KEY",
        "s3.access_key",
        "auth_secret",
        "hmac",
        "sentry.dsn",
        "dsn",
        "token",
    ],
)
def test_fields_with_a_secret_name_are_starred(name):
    """Whatever they hold."""
    assert {name: STARS} == Scrubber().data({name: {"x": "y"}})


@pytest.mark.parametrize("name", ["root_authorized_keys", "tls_key", "pwd", "command_keys", "sequence", "uuid"])
def test_other_fields_are_kept(name):
    """A public key is no secret."""
    assert {name: "value"} == Scrubber().data({name: "value"})


def test_a_secret_that_is_not_set_is_shown_so():
    """An empty one is not starred: that it is missing is worth knowing."""
    assert {"password": "", "secret": None} == Scrubber().data({"password": "", "secret": None})


def test_long_texts_are_cut_after_they_were_scrubbed():
    """A secret across the cut does not survive in halves."""
    text = "x" * (logs.LONGEST_TEXT - 4) + "swordfish" + "x" * 1000
    cut = Scrubber(["swordfish"]).data(text)

    assert (False, True) == ("sword"[:4] in cut, cut.endswith(f"... ({len(text)} characters)"))


def test_secrets_too_short_to_be_told_apart_are_left():
    """A secret of one letter would star all text."""
    assert "a banana" == Scrubber(["a"]).text("a banana")


@pytest.mark.parametrize("hostile", ["token", "token=", "pw", 'secret"', "a", "://", "secret ", "\\'", "pw='"])
def test_hostile_texts_do_not_cost_time(hostile):
    """No pattern takes more than linear time, whatever a stranger sends."""
    text = (hostile * 40000)[: 2 * logs.LONGEST_TEXT]
    start = time.monotonic()
    Scrubber(["swordfish"]).text(text)

    assert 1.0 > time.monotonic() - start
