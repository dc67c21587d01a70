"""TLS contexts that read what they trust late: aiohttp's, and that they trust no one else."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from shared.late_certificates import certificates_read_late

ROOT = Path(__file__).parents[2]
PRINTED = """
import ssl, sys, shared
from aiohttp import connector
made = [each for each in vars(connector).values() if isinstance(each, ssl.SSLContext)]
print(len(made), [len(each.get_ca_certs()) for each in made])
print([each.verify_mode.name for each in made])
print(len(ssl.create_default_context().get_ca_certs()) > 0)
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a folder with a certificate of its own, and its key."""
    openssl = shutil.which("openssl") or pytest.skip("needs openssl, to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [openssl, "req", "-x509", *kind, *named, "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


async def answered(folder, context):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = await asyncio.start_server(answer, "localhost", 0, ssl=own)
    async with server, aiohttp.ClientSession() as session:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        async with session.get(url, ssl=context) as response:
            return await response.text()


def late_context():
    with certificates_read_late():
        return ssl.create_default_context()


async def test_a_context_trusts_what_the_machine_trusts_once_it_is_used(certificate, monkeypatch):
    context = late_context()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    assert context.get_ca_certs() == []
    assert await answered(certificate, context) == "ok"
    assert any("localhost" in str(each["subject"]) for each in context.get_ca_certs())
    assert await answered(certificate, context) == "ok"


async def test_a_context_trusts_nobody_else(certificate):
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await answered(certificate, late_context())


def test_a_socket_of_a_late_context_trusts_the_same(certificate, monkeypatch):
    context = late_context()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    with context.wrap_socket(socket.socket(), server_hostname="localhost"):
        assert context.get_ca_certs()


def test_a_context_of_another_kind_reads_at_once():
    class Own(ssl.SSLContext):
        pass

    with certificates_read_late():
        context = Own(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
    assert type(context) is Own
    assert context.get_ca_certs()


def test_aiohttps_own_contexts_are_late_and_no_others():
    ran = subprocess.run(
        [sys.executable, "-c", PRINTED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    told = ran.stdout.splitlines()
    assert told == ["2 [0, 0]", "['CERT_REQUIRED', 'CERT_NONE']", "True"], ran.stderr
