"""What providers do wrong on the wire, as one table: how it is done, and what a caller is told.

Each fault is the name of an upstream model, so that all can happen at once. Those of a connection are addresses.
"""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.local.process import free_port
from tests.standins import anthropic_provider as anthropic
from tests.standins.openai_provider import Behaviour, chunks, events, fails

KEY = "sk-platform-canary-0123456789"
"""The platform's key at the stand-in: a provider that repeats it must not be repeated."""
PART = b"x" * 1024 * 1024
GIGABYTE = 1024


@dataclass(frozen=True)
class Fault:
    """`begun`: after the first event of a stream; plain calls fail with the same reason."""

    name: str
    behaviour: Behaviour | None
    reason: str
    status: int
    retry_after: int | None = None
    begun: bool = False
    message: str = ""

    @property
    def anthropic_status(self) -> int:
        """Anthropic has a status of its own for what is not available."""
        return 529 if self.reason == "PROVIDER_UNAVAILABLE" else self.status


def told(status: int, message: str = "boom", headers: Mapping[str, str] | None = None) -> Behaviour:
    """An error as providers tell it, with the key in its text."""
    error = {"message": f"{message} {KEY}", "type": "made_up", "param": "temperature"}
    return fails(status, orjson.dumps({"type": "error", "error": error}), dict(headers or {}))


def first_event(request: web.Request) -> bytes:
    """In the format that was asked for."""
    if request.path.endswith("/messages"):
        return anthropic.events(anthropic.stream({"type": "text", "text": "Hello there!"})[:5])
    if request.path.endswith("/chat/completions"):
        return events(chunks("Hello")[:1], done=False)
    if request.path.endswith("/responses"):
        return anthropic.events(RESPONSE_BEGUN)
    chunk = {"id": "c", "object": "text_completion", "choices": [{"index": 0, "text": "Hello", "finish_reason": None}]}
    return events([chunk], done=False)


async def _hangs(_request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


def _begins(then: str) -> Behaviour:
    """One event of a stream (or half a document); then it hangs, resets the connection, ends, or says what is wrong."""

    async def behave(request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
        stream = bool(document.get("stream"))
        kind = "text/event-stream" if stream else "application/json"
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        await response.write(first_event(request) if stream else b'{"choices":')
        await asyncio.sleep(0.05)
        if then == "hang":
            await asyncio.sleep(3600)
        elif then == "reset" and request.transport is not None:
            request.transport.abort()
        return response

    return behave


async def _gigabyte(request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
    kind = "text/event-stream" if document.get("stream") else "application/json"
    response = web.StreamResponse(headers={"Content-Type": kind})
    await response.prepare(request)
    await response.write(b"data: " if document.get("stream") else b'{"choices":"')
    for _ in range(GIGABYTE):
        await response.write(PART)
    return response


RESPONSE = {"id": "resp_1", "object": "response", "status": "in_progress", "model": "x", "output": []}
PLACE: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
RESPONSE_BEGUN: list[dict[str, Any]] = [
    {"type": "response.created", "sequence_number": 0, "response": RESPONSE},
    {"type": "response.output_text.delta", "sequence_number": 1, "delta": "Hello", **PLACE},
]

REFUSED, DOWN, BAD = "PROVIDER_REFUSED", "PROVIDER_UNAVAILABLE", "PROVIDER_BAD_ANSWER"
FAULTS = (
    Fault("refused", None, DOWN, 503),
    Fault("handshake", None, DOWN, 503),
    Fault("certificate", None, DOWN, 503),
    Fault("dns", None, DOWN, 503),
    Fault("400", told(400, "bad temperature"), REFUSED, 400, message="bad temperature"),
    Fault("401", told(401), "PROVIDER_NOT_CONFIGURED", 503),
    Fault("402", told(402), "PROVIDER_RATE_LIMITED", 429),
    Fault("403", told(403), "PROVIDER_NOT_CONFIGURED", 503),
    Fault("404", told(404, "no such model"), REFUSED, 404, message="no such model"),
    Fault("408", told(408), "PROVIDER_TIMEOUT", 504),
    Fault("409", told(409, "conflict"), REFUSED, 409),
    Fault("410", told(410, "shut down"), REFUSED, 410, message="shut down"),
    Fault("413", told(413, "too large"), REFUSED, 413),
    Fault("422", told(422, "cannot"), REFUSED, 422),
    Fault("424", told(424), DOWN, 503),
    Fault("text", fails(400, b"length limit exceeded"), REFUSED, 400, message="length limit exceeded"),
    Fault("429", told(429), "PROVIDER_RATE_LIMITED", 429),
    Fault("429-after", told(429, headers={"Retry-After": "7"}), "PROVIDER_RATE_LIMITED", 429, retry_after=7),
    Fault("500", told(500), DOWN, 503),
    Fault("502", fails(502, b"<html>bad gateway</html>"), DOWN, 503),
    Fault("503", told(503, headers={"Retry-After": "3"}), DOWN, 503, retry_after=3),
    Fault("529", told(529), DOWN, 503),
    Fault("redirect", fails(302, b"", {"Location": "http://127.0.0.1:1/"}), BAD, 502),
    Fault("html", fails(200, b"<html>hello</html>"), BAD, 502),
    Fault("truncated", fails(200, b'{"choices":[{"mess'), BAD, 502),
    Fault("silent", _hangs, "PROVIDER_TIMEOUT", 504),
    Fault("stall", _begins("hang"), "PROVIDER_TIMEOUT", 504, begun=True),
    Fault("reset", _begins("reset"), DOWN, 503, begun=True),
    Fault("cut", _begins("end"), BAD, 502, begun=True),
    Fault("gigabyte", _gigabyte, BAD, 502),
)


def upstream(face: str, name: str, *, stream: bool) -> str:
    """The upstream model of a fault, of each way of asking its own: a deployment that asked for a pause is given it."""
    return f"{face}.{name}{'.stream' if stream else ''}"


def behaviours(*faces: str) -> dict[str, Behaviour]:
    """All of them, by upstream model."""
    return {
        upstream(face, fault.name, stream=stream): fault.behaviour
        for face in faces
        for stream in (False, True)
        for fault in FAULTS
        if fault.behaviour
    }


@asynccontextmanager
async def addresses(directory: Path, plain: str) -> AsyncIterator[dict[str, str]]:
    """Where the faults of a connection are. `plain`: an address without TLS."""
    context = _self_signed(directory)

    async def ignored(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(ignored, "127.0.0.1", 0, ssl=context)
    try:
        yield {
            "refused": f"http://127.0.0.1:{free_port()}/v1",
            "handshake": plain.replace("http://", "https://"),
            "certificate": f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1",
            "dns": "http://no-such-host.invalid/v1",
        }
    finally:
        server.close()


def _self_signed(directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    both = directory / "both.pem"
    both.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context
