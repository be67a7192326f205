from __future__ import annotations

import asyncio
import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from bus_parts import Inbox, connection, consuming, eventually, producing
from nsq_servers import Nsqd

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer
from chunter_nsq.bus.producer import Producer
from chunter_nsq.bus.settings import Connection, Tls


def openssl(*arguments):
    """Runs it and wants success."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def certificate(folder: Path, name: str, alternative: str) -> tuple[Path, Path]:
    """A certificate of the folder's authority for this name, and its key."""
    key, request, made, extension = (folder / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
    extension.write_text(f"subjectAltName={alternative}\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-new", *curve, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    authority = ("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial")
    openssl("x509", "-req", "-in", request, *authority, "-days", 2, "-extfile", extension, "-out", made)
    return made, key


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A folder with ca.pem, a certificate for 127.0.0.1 and one for somebody else."""
    folder = tmp_path_factory.mktemp("ca")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    target = ("-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    openssl("req", "-x509", *curve, *target, "-days", 2, "-subj", "/CN=test authority", *usage)
    certificate(folder, "right", "IP:127.0.0.1")
    certificate(folder, "wrong", "DNS:other.example")
    certificate(folder, "client", "DNS:agent.example")
    return folder


def tls_flags(authority, name, *more):
    """What nsqd needs to show this certificate."""
    return [
        f"--tls-cert={authority / name}.pem",
        f"--tls-key={authority / name}.key",
        "--tls-min-version=tls1.2",
        *more,
    ]


async def test_right_certificate_is_spoken_to(authority, tmp_path):
    """With the authority's certificate for this address, publishing and consuming go through TLS."""
    with Nsqd(tmp_path, tls_flags(authority, "right", "--tls-required=true", "--tls-min-version=tls1.3")) as nsqd:
        settings = connection(nsqd, tls=Tls(ca=authority / "ca.pem"))
        inbox = Inbox()
        async with consuming(settings, "t", inbox.accept) as consumer, producing(settings) as producer:
            bodies = [b"%d" % number + b"x" * 1000 for number in range(2000)]
            await producer.publish("t", bodies)
            assert bodies == await inbox.holds(2000)
            await consumer.close()
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_wrong_host_name_is_refused(authority, tmp_path, caplog):
    """A certificate of the same authority for another host is no proof; the reason is told once."""
    with Nsqd(tmp_path, tls_flags(authority, "wrong")) as nsqd:
        settings = connection(nsqd, tls=Tls(ca=authority / "ca.pem"), reconnect_seconds=0.02)
        producer = Producer(settings)
        await producer.start()
        await eventually(lambda: producer.state().last_error)
        assert "other.example" in producer.state().last_error or "mismatch" in producer.state().last_error
        assert not await producer.wait_ready(0.3)
        await producer.close()
    ours = [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
    assert ["nsq.disconnected"] == ours


async def test_unknown_authority_is_refused(authority, tmp_path):
    """The system's authorities do not vouch for this one."""
    with Nsqd(tmp_path, tls_flags(authority, "right")) as nsqd:
        producer = Producer(connection(nsqd, tls=Tls()))
        await producer.start()
        await eventually(lambda: producer.state().last_error)
        assert "CERTIFICATE_VERIFY_FAILED" in producer.state().last_error.upper().replace(" ", "_")
        await producer.close()


async def test_nsqd_without_tls_is_refused(authority, tmp_path):
    """There is no way back to plain text."""
    with Nsqd(tmp_path) as nsqd:
        consumer = Consumer(connection(nsqd, tls=Tls(ca=authority / "ca.pem")), "t", "c", Inbox().accept)
        await consumer.start()
        await eventually(lambda: consumer.state().last_error)
        assert "does not offer TLS" in consumer.state().last_error
        assert not await consumer.wait_ready(0.3)
        await consumer.close()
        assert nsqd.topic("t") == {}


async def test_client_certificate_is_shown(authority, tmp_path):
    """An nsqd that wants to know its clients lets us in with a certificate, and says no without one."""
    policy = ("--tls-client-auth-policy=require-verify", f"--tls-root-ca-file={authority / 'ca.pem'}")
    with Nsqd(tmp_path, tls_flags(authority, "right", *policy)) as nsqd:
        known = Tls(ca=authority / "ca.pem", cert=authority / "client.pem", key=authority / "client.key")
        async with producing(connection(nsqd, tls=known)) as producer:
            await producer.publish("t", [b"x"])
        stranger = Producer(connection(nsqd, tls=Tls(ca=authority / "ca.pem")))
        await stranger.start()
        assert not await stranger.wait_ready(0.5)
        await stranger.close()


async def test_missing_file_is_a_reason_not_a_crash(authority, tmp_path):
    """Without its authority's file the connection is not made; once the file is there, it is."""
    folder = tmp_path / "etc"
    folder.mkdir()
    with Nsqd(tmp_path, tls_flags(authority, "right")) as nsqd:
        producer = Producer(connection(nsqd, tls=Tls(ca=folder / "ca.pem")))
        await producer.start()
        await eventually(lambda: producer.state().last_error)
        assert "No such file" in producer.state().last_error
        shutil.copy(authority / "ca.pem", folder / "ca.pem")
        assert await producer.wait_ready(20)
        await producer.close()


async def test_secret_stays_here_when_tls_is_not_offered():
    """A server that wants AUTH but offers no TLS hears IDENTIFY and not the secret."""
    heard = bytearray()

    async def serve(reader, writer):
        heard.extend(await reader.read(4000))
        body = json.dumps({"tls_v1": False, "auth_required": True, "max_rdy_count": 2500}).encode()
        writer.write(struct.pack(">ii", len(body) + 4, 0) + body)
        await writer.drain()
        while chunk := await reader.read(4000):
            heard.extend(chunk)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    producer = Producer(Connection(nsqd=(address,), tls=Tls(), auth_secret="s3cret"))
    await producer.start()
    await eventually(lambda: producer.state().last_error)
    await producer.close()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.05)
    assert b"IDENTIFY" in heard
    assert b"AUTH\n" not in heard
    assert b"s3cret" not in heard
