from __future__ import annotations

from chunter_nsq.cli.answer import failure, line, silence, step, summary, unfinished
from chunter_nsq.cli.exits import of_status

DATA = {"command": "c1", "action": "machine.stop", "uuid": None, "host": "h1", "status": "succeeded"}


def test_a_success_tells_its_duration_and_what_it_brought():
    """Times are those of running, or since it was received."""
    times = {"received": "2026-01-01T00:00:00.000Z", "finished": "2026-01-01T00:00:02.500Z"}
    assert ["machine.stop succeeded on h1 in 2.5 s", "  state  stopped"] == summary(
        {**DATA, **times, "result": {"state": "stopped"}}
    )
    assert ["machine.stop succeeded on h1 in 1.5 s"] == summary({**DATA, **times, "started": "2026-01-01T00:00:01Z"})


def test_a_success_without_times_is_told_without():
    """Members that are missing are no fault."""
    assert ["machine.stop succeeded on h1"] == summary(DATA)


def test_a_failure_tells_the_voice_of_the_tool():
    """Code, argument vector, status, and the tail of stderr, line by line."""
    details = {"argv": ["vmadm", "stop"], "exit_status": 1, "stderr": "first\nsecond"}
    error = {"code": "tool_failed", "message": "vmadm stop failed", "details": details}
    expected = [
        "machine.stop failed on h1: vmadm stop failed",
        "  code  tool_failed",
        "  argv         vmadm stop",
        "  exit_status  1",
        "  stderr",
        "    first",
        "    second",
    ]
    assert expected == failure({**DATA, "status": "failed", "error": error})


def test_faults_of_a_message_are_told_once():
    """Those that the message has already are not repeated."""
    faults = [{"path": "$.a", "message": "is required"}, {"path": "$.b", "message": "must be true or false"}]
    error = {"code": "invalid_message", "message": "not run: $.a: is required", "details": {"faults": faults}}
    expected = ["  code  invalid_message", "  $.b: must be true or false"]
    assert expected == failure({**DATA, "status": "rejected", "error": error})[1:]


def test_a_failure_without_any_reason_is_told_all_the_same():
    """A result of a foreign agent may have no error."""
    assert ["machine.stop failed on h1: no reason was given"] == failure({**DATA, "status": "failed", "error": None})


def test_one_of_many_is_one_line_that_fits():
    """Plain members only, clipped at the width of the terminal."""
    told = line({**DATA, "result": {"a": 1, "long": "x" * 200, "inner": {}}})
    assert 80 == len(told)
    assert told.startswith("h1  succeeded  a=1 long=xxx")


def test_the_error_of_one_of_many_is_told_whole():
    """No word of a reason is cut off."""
    assert f"h1  failed  {'no ' * 99}VM" == line({**DATA, "status": "failed", "error": {"message": f"{'no ' * 99}VM"}})


def test_silence_names_whom_was_asked():
    """A name, or everybody."""
    assert "no host of the name hv1" in silence("host.ping", "hv1", 3)
    assert "no host at all" in silence("host.ping", "*", 3)


def test_what_is_unfinished_can_be_asked_for():
    """The command line is ready to be copied, quoted where needed."""
    assert "chunter call --host 'h 1' command.status -p 'command=c;1'" in unfinished(
        {**DATA, "host": "h 1", "command": "c;1", "progress": None}, 5
    )


def test_a_step_is_a_phase_and_a_share():
    """Without a total there is no share."""
    assert "upload, 50 %" == step({"phase": "upload", "done": 1, "total": 2})
    assert "upload" == step({"phase": "upload", "done": 1, "total": None})
    assert "working" == step({})


def test_statuses_have_exit_statuses():
    """What is not final has run out of time."""
    statuses = {"succeeded": 0, "failed": 1, "cancelled": 1, "expired": 1, "rejected": 4, "accepted": 3, "progress": 3}
    assert statuses == {status: int(of_status(status)) for status in statuses}
