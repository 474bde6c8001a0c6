"""The lean HTTP client against servers that behave in every way: well, slowly, badly, and with intent."""

import asyncio
import datetime as dt
import gzip
import ssl
import zlib
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from chassis.http import Broken, Http, NotConnected
from chassis.http.client import parse
from chassis.outbound import AddressRefused, UrlRefused, guarded
from chassis.settings import OutboundSettings
from deploy.local.process import free_port
from tests.promptness import PATIENCE, PROMPT
from tests.standins.http_server import FORMS, OK, Behaviour, answering, client


async def ask(http: Http, url: str, seconds: float = 2) -> tuple[int, bytes]:
    with await http.post(url, {"X-Key": "secret"}, b"{}", first_byte=seconds) as response:
        body = b""
        while part := await response.chunk(seconds):
            body += part
    return response.status, body


async def test_a_request_as_it_is_sent() -> None:
    async with answering(OK) as server, client() as http:
        with await http.post(server.url, {"X-Key": "secret"}, b"{}", first_byte=PATIENCE) as response:
            assert response.status == 200
            assert (response.headers["x-one"], response.headers.get("X-ONE"), response.headers.get("x")) == (
                "1",
                "1",
                None,
            )
            assert dict(response.headers) == {"content-length": "5", "x-one": "1"}
            assert await response.chunk(PATIENCE) == b"hello"
            assert await response.chunk(PATIENCE) == b""
        assert server.requests == [
            b"POST /v1/chat?a=b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
            b"Content-Length: 2\r\nX-Key: secret\r\n\r\n{}" % server.port
        ]


@given(st.sampled_from(list(FORMS)), st.lists(st.integers(1, 40), min_size=1, max_size=8))
async def test_an_answer_is_whole_however_it_is_cut(form: str, cuts: list[int]) -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        at = index = 0
        while at < len(FORMS[form]):
            writer.write(FORMS[form][at : at + cuts[index % len(cuts)]])
            at, index = at + cuts[index % len(cuts)], index + 1
            await asyncio.sleep(0)

    async with answering(behave) as server, client() as http:
        for _ in range(2):
            assert await ask(http, server.url) == (200, b"hello")
        assert server.connections == 1


async def test_an_answer_that_ends_with_its_connection() -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        writer.close()

    async with answering(behave) as server, client() as http:
        assert await ask(http, server.url) == (200, b"hello")


async def test_an_answer_without_a_body() -> None:
    async with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as server, client() as http:
        for _ in range(2):
            assert await ask(http, server.url) == (204, b"")
        assert server.connections == 1


ONCE = {
    "says so": OK.replace(b"X-One: 1", b"Connection: close"),
    "of an older version": OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "says more than was asked": OK + OK,
}


@pytest.mark.parametrize("name", list(ONCE))
async def test_a_connection_that_is_not_used_again(name: str) -> None:
    async with answering(ONCE[name]) as server, client() as http:
        for _ in range(2):
            with suppress(Broken):
                assert await ask(http, server.url) == (200, b"hello")
        assert server.connections == 2


async def test_what_comes_unasked_is_no_answer() -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(OK.replace(b"hello", b"wrong"))
        said.set()

    said = asyncio.Event()
    async with answering(behave) as server, client() as http:
        assert await ask(http, server.url) == (200, b"hello")
        await said.wait()
        await asyncio.sleep(0.05)
        assert await ask(http, server.url) == (200, b"hello")
        assert server.connections == 2


async def test_a_connection_that_was_closed_meanwhile_is_not_tried() -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    async with answering(behave) as server, client() as http:
        for _ in range(3):
            assert await ask(http, server.url) == (200, b"hello")
            await asyncio.sleep(0.02)


def parting(last: bytes = b"", after: float = 0) -> Behaviour:
    """Answers each connection's first request, and closes behind the second."""
    served: set[asyncio.StreamWriter] = set()

    async def behave(writer: asyncio.StreamWriter) -> None:
        if writer not in served:
            served.add(writer)
            writer.write(OK)
            return
        await asyncio.sleep(after)
        writer.write(last)
        writer.close()

    return behave


async def test_what_a_server_closed_while_it_was_asked_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.http.client.PARTING_SECONDS", PATIENCE)
    async with answering(parting()) as server, client() as http:
        for _ in range(3):
            assert await ask(http, server.url) == (200, b"hello")
        assert (server.connections, len(server.requests)) == (3, 5)


@pytest.mark.parametrize(("last", "after"), [(b"HTTP/1.1 200 OK\r\n", 0), (b"", 0.05)])
async def test_who_had_begun_to_answer_is_not_asked_again(
    last: bytes, after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.http.client.PARTING_SECONDS", after / 2 or PATIENCE)
    async with answering(parting(last, after)) as server, client() as http:
        assert await ask(http, server.url) == (200, b"hello")
        with pytest.raises(Broken):
            await ask(http, server.url)
        assert len(server.requests) == 2


def packed(body: bytes, coding: bytes = b"gzip", *, framed: bool = True) -> bytes:
    """An answer of compressed bytes."""
    length = b"Content-Length: %d\r\n" % len(body) if framed else b""
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\n%b\r\n%b" % (coding, length, body)


BROKEN = {
    "no http": b"hello, this is no HTTP\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "half a body": OK[:-2],
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "two lengths": OK.replace(b"X-One: 1", b"Content-Length: 7"),
    "length and chunks": OK.replace(b"X-One: 1", b"Transfer-Encoding: chunked"),
    "a long header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 300 + b"\r\n",
    "many hints": b"HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n" * 3000,
    "a long trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: " + b"x" * 100_000,
    "compressed otherwise": OK.replace(b"X-One: 1", b"Content-Encoding: br"),
    "not compressed": OK.replace(b"X-One: 1", b"Content-Encoding: gzip"),
    "half of what is compressed": packed(gzip.compress(b"hello")[:-9]),
    "half of it, until the end": packed(gzip.compress(b"hello")[:-9], framed=False),
    "a bomb": packed(gzip.compress(bytes(10_000_000))),
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", list(BROKEN))
async def test_what_is_no_answer_breaks(name: str) -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(BROKEN[name])
        if writer.can_write_eof():
            writer.write_eof()

    async with answering(behave) as server, client() as http:
        with pytest.raises(Broken):
            await ask(http, server.url)


@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize(("coding", "pack"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
async def test_a_proxy_that_compresses_unasked_is_understood(
    coding: bytes, pack: Callable[[bytes], bytes], framed: bool
) -> None:
    body = b"".join(b"data: %d\n\n" % number for number in range(3000))

    async def behave(writer: asyncio.StreamWriter) -> None:
        wire = packed(pack(body), coding, framed=framed)
        for begin in range(0, len(wire), 777):
            writer.write(wire[begin : begin + 777])
            await writer.drain()
        if not framed:
            writer.write_eof()

    async with answering(behave) as server, client() as http:
        assert await ask(http, server.url) == (200, body)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", OK[:-2]])
async def test_silence_has_an_end(said: bytes) -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    async with answering(behave) as server, client() as http:
        with pytest.raises(TimeoutError):
            await ask(http, server.url, 0.05)
        await asyncio.wait_for(server.gone.wait(), PROMPT)


async def test_slowness_is_no_silence() -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        for number, byte in enumerate(OK):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.005 if number % 20 else 0.4)

    assert 0.4 * len(OK) / 20 > 1
    async with answering(behave) as server, client() as http:
        assert await ask(http, server.url, 1) == (200, b"hello")


@pytest.mark.parametrize("let_go", [False, True])
async def test_leaving_an_answer_ends_the_work_at_once(let_go: bool) -> None:
    async with answering(OK[:-2]) as server, client() as http:
        response = await http.post(server.url, {}, b"{}", first_byte=PATIENCE)
        assert await response.chunk(PATIENCE) == b"hel"
        if let_go:
            del response
        else:
            with response:
                pass
        await asyncio.wait_for(server.gone.wait(), PROMPT)


async def test_cancelling_a_request_ends_it() -> None:
    async with answering(b"") as server, client() as http:
        asked = asyncio.create_task(ask(http, server.url))
        while not server.requests:
            await asyncio.sleep(0.001)
        asked.cancel()
        await asyncio.wait_for(server.gone.wait(), PROMPT)
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_a_slow_reader_holds_the_server_back() -> None:
    size, written = 64 * 1024 * 1024, 0

    async def behave(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(1024):
            writer.write(bytes(size // 1024))
            await writer.drain()
            written += size // 1024

    async with answering(behave) as server, client() as http:
        with await http.post(server.url, {}, b"{}", first_byte=PATIENCE) as response:
            await asyncio.sleep(0.2)
            # What the kernel's two buffers take is the rest.
            assert written < size / 2
            taken = 0
            while part := await response.chunk(PATIENCE):
                taken += len(part)
        assert taken == size


async def test_nobody_there() -> None:
    async with client() as http:
        for url in (f"http://127.0.0.1:{free_port()}/", "http://no-such-host.invalid/", f"http://{'a' * 70}.invalid/"):
            with pytest.raises(NotConnected):
                await ask(http, url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
async def test_an_address_that_a_tenant_chose_is_judged_when_it_is_dialled(host: str) -> None:
    async with answering(OK) as server:
        url = f"http://{host}:{server.port}/"
        guard = guarded(OutboundSettings(plain_http=True))
        async with Http(connect_seconds=2, resolve=guard) as http:
            with pytest.raises((AddressRefused, UrlRefused)):
                await ask(http, url)
        assert server.connections == 0
        opened = guarded(OutboundSettings(plain_http=True, networks=(IPv4Network("127.0.0.0/8"),)))
        async with Http(connect_seconds=2, resolve=opened) as http:
            assert await ask(http, server.url) == (200, b"hello")


async def test_nobody_who_accepts_in_time() -> None:
    async with answering(b"") as server, Http(connect_seconds=0.1) as http:
        # A server that speaks no TLS says nothing to a handshake.
        with pytest.raises(NotConnected):
            await ask(http, server.url.replace("http:", "https:"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/",
        "//a/",
        "http:///x",
        "http://a b/",
        "http://a/\r\nX: 1",
        "http://u:p@a/",
        "http://é/",
        "http://a:99999/",
        "http://[::1/",
        "",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(NotConnected, match="URL"):
        parse(url)


async def test_a_header_cannot_end_its_line() -> None:
    async with answering(OK) as server, client() as http:
        for headers in ({"X": "a\r\nY: b"}, {"X: a\r\nY": "b"}, {"X": "a\n"}):
            with pytest.raises(NotConnected, match="header"):
                await http.post(server.url, headers, b"", first_byte=1)
        assert server.requests == []


def certified(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's certificate for 127.0.0.1, and who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    made = (
        x509.CertificateBuilder(
            name,
            name,
            key.public_key(),
            x509.random_serial_number(),
            now - day,
            now + day,
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = directory / "both.pem"
    certificate = made.public_bytes(encoding)
    file.write_bytes(certificate + key.private_bytes(encoding, form, serialization.NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=certificate.decode())


async def test_trust(tmp_path: Path) -> None:
    server_side, trusting = certified(tmp_path)
    async with answering(OK, server_side) as server:
        url = server.url.replace("http:", "https:")
        async with Http(connect_seconds=2, tls=trusting) as http:
            for _ in range(2):
                assert await ask(http, url) == (200, b"hello")
            with pytest.raises(NotConnected):
                await ask(http, url.replace("127.0.0.1", "localhost"))
        assert server.connections >= 1
        async with client() as http:
            with pytest.raises(NotConnected):
                await ask(http, url)
        assert len(server.requests) == 2
