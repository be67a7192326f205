from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_parts import chunter, running
from nsq_servers import Nsqd, Nsqlookupd, free_port
from responder import HOST, responding

from chunter_nsq.authority import signature
from chunter_nsq.bus.settings import Tls

pytestmark = pytest.mark.counted

VM = "5e0c6a2b-0000-4000-8000-000000000001"
OTHER = "5e0c6a2b-0000-4000-8000-000000000002"
DONE = {"status": "succeeded", "result": {"state": "stopped"}}
REFUSAL = {"code": "invalid_state", "message": "The machine runs", "details": {"argv": ["vmadm", "stop"]}}


@pytest.fixture(scope="module")
def nsqd(tmp_path_factory) -> Iterator[Nsqd]:
    """One real nsqd for all."""
    with Nsqd(tmp_path_factory.mktemp("nsqd")) as server:
        yield server


async def test_success_is_told_in_words_and_status_0(nsqd):
    """The summary names action, machine, status and result; nothing stands on stderr."""
    async with responding(nsqd, {"machine.stop": [{}, DONE]}):
        ended = await chunter("call", "--host", "hv1", "machine.stop", "--uuid", VM, nsqd=nsqd)
    assert (0, "") == (ended.status, ended.err)
    assert f"machine.stop {VM} succeeded on {HOST}\n  state  stopped\n" == ended.out


async def test_json_is_one_document_with_the_whole_result(nsqd):
    """--json prints the data of the final result and nothing else."""
    async with responding(nsqd, {"machine.stop": [{}, DONE]}) as agent:
        ended = await chunter("call", "--host", HOST, "machine.stop", "--uuid", VM, "--json", "--id", "x1", nsqd=nsqd)
        expected = agent.result(agent.commands[0], DONE)
    assert (0, "", expected) == (ended.status, ended.err, ended.document)
    assert "x1" == ended.document["command"]


async def test_parameters_arrive_with_their_types(nsqd, tmp_path):
    """JSON stays JSON, other values are text, @FILE is read, dots nest, and -p is laid over --params."""
    file = tmp_path / "payload.json"
    file.write_text('{"brand": "joyent"}')
    given = ["-p", "force=true", "-p", "snapshot=s1", "-p", f"payload=@{file}", "-p", "k.a=1", "--params", "-"]
    async with responding(nsqd, {"a.b": [DONE]}) as agent:
        ended = await chunter("call", "--host", "hv1", "a.b", *given, nsqd=nsqd, stdin='{"snapshot": "no", "x": [1]}')
    assert 0 == ended.status
    expected = {"snapshot": "s1", "x": [1], "force": True, "payload": {"brand": "joyent"}, "k": {"a": 1}}
    assert expected == agent.commands[0]["params"]


@pytest.mark.parametrize(
    ("status", "exit_status"),
    [("failed", 1), ("cancelled", 1), ("interrupted", 1), ("expired", 1), ("rejected", 4)],
)
async def test_failures_are_told_on_stderr(nsqd, status, exit_status):
    """Why, the code and what the tool was; stdout stays empty."""
    async with responding(nsqd, {"machine.stop": [{"status": status, "error": REFUSAL}]}):
        ended = await chunter("call", "--host", "hv1", "machine.stop", "--uuid", VM, nsqd=nsqd)
    assert (exit_status, "") == (ended.status, ended.out)
    expected = [
        f"machine.stop {VM} {status} on {HOST}: The machine runs",
        "  code  invalid_state",
        "  argv  vmadm stop",
    ]
    assert expected == ended.err.splitlines()


async def test_a_failure_with_json_is_a_document_too(nsqd):
    """The exit status tells it, stdout has the result."""
    async with responding(nsqd, {"machine.stop": [{"status": "failed", "error": REFUSAL}]}):
        ended = await chunter("call", "--host", "hv1", "machine.stop", "--uuid", VM, "--json", nsqd=nsqd)
    assert (1, REFUSAL) == (ended.status, ended.document["error"])


async def test_silence_is_told_with_its_likely_cause(nsqd):
    """Nobody of that name: status 3, and where to look."""
    ended = await chunter("call", "--host", "nobody", "host.ping", "--timeout", "0.5", "--json", nsqd=nsqd)
    assert (3, 0.5, "nobody") == (ended.status, ended.document["timed_out_seconds"], ended.document["host"])
    assert (None, None) == (ended.document["status"], ended.document["result"])
    assert "no host of the name nobody answered within 0.5 s" in ended.err
    assert "chunter hosts" in ended.err


async def test_running_out_of_time_says_how_to_ask_again(nsqd):
    """What was seen last, and the very command line to go on with."""
    progress = {"status": "progress", "progress": {"phase": "import", "done": 1, "total": 4}}
    async with responding(nsqd, {"machine.create": [{}, progress]}):
        ended = await chunter("call", "--host", "hv1", "machine.create", "--timeout", "1", "--id", "c7", nsqd=nsqd)
    assert (3, "") == (ended.status, ended.out)
    assert "still running" in ended.err
    assert "import, 25 %" in ended.err
    assert f"chunter call --host {HOST} command.status -p command=c7" in ended.err


async def test_running_out_of_time_with_json_is_a_document_too(nsqd):
    """The last that was heard of the command, with the seconds that were not enough."""
    progress = {"status": "progress", "progress": {"phase": "import", "done": 1, "total": 4}}
    async with responding(nsqd, {"machine.create": [{}, progress]}):
        words = ("call", "--host", "hv1", "machine.create", "--timeout", "1", "--id", "c7", "--json")
        ended = await chunter(*words, nsqd=nsqd)
    told = ended.document
    assert (3, "c7", "progress", 1) == (ended.status, told["command"], told["status"], told["timed_out_seconds"])
    assert "import" == told["progress"]["phase"]


async def test_without_waiting_the_id_is_all(nsqd):
    """--no-wait prints the id and ends well, whoever may be there."""
    ended = await chunter("call", "--host", "nobody", "host.ping", "--no-wait", "--id", "c8", nsqd=nsqd)
    assert (0, "c8\n", "") == (ended.status, ended.out, ended.err)


async def test_all_hosts_answer_a_line_each_and_the_worst_counts(nsqd):
    """Two hosts, one of them slower and refusing: both are told, status 4."""
    refusal = [{}, 0.5, {"status": "rejected", "error": REFUSAL}]
    async with (
        responding(nsqd, {"host.ping": [{"status": "succeeded", "result": {"version": "1", "more": []}}]}),
        responding(nsqd, {"host.ping": refusal}, host="h2", alias="hv2"),
    ):
        ended = await chunter("call", "--host", "*", "host.ping", nsqd=nsqd)
    assert (4, "") == (ended.status, ended.err)
    assert [f"{HOST}  succeeded  version=1", "h2  rejected  The machine runs"] == ended.out.splitlines()


async def test_all_hosts_with_json_are_a_document_each(nsqd):
    """One line for each host, and the wait ends soon after the first."""
    begin = time.monotonic()
    async with responding(nsqd, {"host.ping": [DONE]}), responding(nsqd, {"host.ping": [DONE]}, host="h2", alias="hv2"):
        ended = await chunter("call", "--host", "*", "host.ping", "--json", nsqd=nsqd)
    assert 0 == ended.status
    assert {HOST, "h2"} == {json.loads(line)["host"] for line in ended.out.splitlines()}
    assert 6 > time.monotonic() - begin


async def test_of_all_hosts_those_that_are_late_have_their_line(nsqd):
    """What came in time stands as it came, what did not says so; the exit status is that of the late one."""
    answers = {"machine.list": [{}, {"status": "progress"}]}
    async with (
        responding(nsqd, {"machine.list": [DONE]}),
        responding(nsqd, answers, host="h2", alias="hv2"),
    ):
        ended = await chunter("call", "--host", "*", "machine.list", "--json", "--timeout", "2", nsqd=nsqd)
    told = {one["host"]: one.get("timed_out_seconds") for one in map(json.loads, ended.out.splitlines())}
    assert (3, {HOST: None, "h2": 2}) == (ended.status, told)


async def test_an_id_of_another_action_is_no_success(nsqd):
    """A host that tells again what it did under this id before has not run the command."""
    before = {**DONE, "action": "machine.stop", "duplicate": True}
    async with responding(nsqd, {"machine.start": [before]}):
        ended = await chunter("call", "--host", "hv1", "machine.start", "--uuid", VM, "--id", "x", nsqd=nsqd)
    assert (1, "") == (ended.status, ended.out)
    assert "machine.start was not run" in ended.err


async def test_an_id_of_another_machine_is_no_success(nsqd):
    """The machine of the earlier command is named, and nothing of its result is shown as this one's."""
    before = {**DONE, "uuid": OTHER, "duplicate": True}
    async with responding(nsqd, {"machine.stop": [before]}):
        ended = await chunter("call", "--host", "hv1", "machine.stop", "--uuid", VM, "--id", "x", nsqd=nsqd)
    assert (1, "") == (ended.status, ended.out)
    assert f"machine.stop was not run: {HOST} had the id x before, for machine.stop of {OTHER}," in ended.err


async def test_the_same_command_again_has_the_result_that_it_had(nsqd):
    """A repetition under its id is a success, as the first time."""
    async with responding(nsqd, {"machine.stop": [{**DONE, "duplicate": True}]}):
        ended = await chunter("call", "--host", "hv1", "machine.stop", "--uuid", VM, "--id", "x", nsqd=nsqd)
    assert (0, "") == (ended.status, ended.err)


async def test_a_command_is_signed_with_the_key_of_a_file(nsqd, tmp_path):
    """The one key of the file signs, by its name or without."""
    file = tmp_path / "keys"
    file.write_text('{"ops": {"secret": "0123456789abcdef"}}')
    async with responding(nsqd, {"host.ping": [DONE]}) as agent:
        ended = await chunter("call", "--host", "hv1", "host.ping", "--key-file", str(file), nsqd=nsqd)
    assert 0 == ended.status
    command = agent.commands[0]
    assert signature(command, b"0123456789abcdef") == command["auth"]["hmac"]


async def test_an_nsqd_that_is_not_there_is_named():
    """Status 1, the address, and what to do; no traceback."""
    door = f"127.0.0.1:{free_port()}"
    ended = await chunter("call", "--host", "hv1", "host.ping", "--nsqd-http", door)
    assert (1, "") == (ended.status, ended.out)
    assert door in ended.err
    assert "--nsqd-http" in ended.err
    assert "Traceback" not in ended.err


async def test_nsqlookupd_alone_is_enough(tmp_path):
    """--lookupd-http finds nsqd, and the default address is not asked."""
    with Nsqlookupd(tmp_path) as lookupd, Nsqd(tmp_path, lookupd=[lookupd]) as server:
        async with responding(server, {"host.ping": [DONE]}):
            ended = await chunter("call", "--host", "hv1", "host.ping", "--lookupd-http", lookupd.http_address)
    assert (0, "") == (ended.status, ended.err)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["host.ping"], "--host"),
        (["--host", "hv1"], "ACTION"),
        (["--host", "", "host.ping"], "empty"),
        (["--host", "hv1", "host.ping", "-p", "force"], "name=value"),
        (["--host", "hv1", "host.ping", "--id", "a b"], "without blanks"),
        (["--host", "hv1", "host.ping", "--timeout", "0"], "0"),
        (["--host", "hv1", "host.ping", "--nsqd-http", "nonsense"], "host:port"),
        (["--host", "hv1", "host.ping", "--key", "ops"], "--key-file"),
        (["--host", "hv1", "host.ping", "--key-file", "/nowhere"], "/nowhere"),
        (["--host", "hv1", "host.ping", "--tls-ca", __file__], "--tls"),
    ],
)
async def test_wrong_usage_is_status_2_and_says_what_was_wrong(arguments, told):
    """Nothing is sent, and the message names the place."""
    ended = await chunter("call", *arguments)
    assert (2, "") == (ended.status, ended.out)
    assert told in ended.err


async def test_a_terminal_sees_progress_and_a_clean_result(nsqd):
    """On a terminal the phase and its share are shown; stdout has the result alone."""
    progress = {"status": "progress", "progress": {"phase": "importing", "done": 1, "total": 2, "eta_seconds": 7.0}}
    ours, theirs = pty.openpty()
    async with responding(nsqd, {"machine.create": [{}, progress, 0.4, DONE]}):
        environment = {"CHUNTER_NSQD_HTTP": nsqd.http_address, "TERM": "xterm"}
        async with running(
            "call", "--host", "hv1", "machine.create", environment=environment, stderr=theirs
        ) as process:
            os.close(theirs)
            out, _ = await process.communicate()
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert 0 == process.returncode
    assert f"machine.create succeeded on {HOST}\n  state  stopped\n" == out.decode()
    assert "machine.create: importing" in shown
    assert "about 7 s left" in shown


async def test_ctrl_c_leaves_the_command_running_and_says_so(nsqd):
    """The command line ends at once and tells how to ask for the command."""
    async with responding(nsqd, {"machine.create": [{}]}) as agent:
        environment = {"CHUNTER_NSQD_HTTP": nsqd.http_address}
        call = ["call", "--host", "hv1", "machine.create", "--id", "c9"]
        async with running(*call, environment=environment) as process, asyncio.timeout(20):
            while not agent.commands:
                await asyncio.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
    assert (130, b"") == (process.returncode, out)
    assert b"command.status -p command=c9" in err


@pytest.fixture
def certificate(tmp_path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    key, made = tmp_path / "key.pem", tmp_path / "cert.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    target = ["-keyout", key, "-out", made, "-subj", "/CN=nsqd", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", "req", "-x509", *curve, *target], check=True, capture_output=True)
    return made, key


async def test_tls_reaches_the_answers(tmp_path, certificate):
    """Where nsqd wants TLS on its TCP port, --tls with its authority is enough."""
    made, key = certificate
    flags = [f"--tls-cert={made}", f"--tls-key={key}", "--tls-required=tcp-https"]
    with Nsqd(tmp_path, flags) as server:
        async with responding(server, {"host.ping": [DONE]}, tls=Tls(ca=made)):
            ended = await chunter("call", "--host", "hv1", "host.ping", "--tls", "--tls-ca", str(made), nsqd=server)
    assert (0, "") == (ended.status, ended.err)
