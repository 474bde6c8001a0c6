"""The guarded client against real listeners: what it dials, what it follows, what it reads."""

import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from chassis.errors import InvalidArgument, Unavailable
from chassis.outbound import Outbound, guarded_connector
from chassis.settings import OutboundSettings
from tests.unit.test_chassis_outbound import HOSTILE

CLOSED = OutboundSettings(plain_http=True, connect_seconds=2, total_seconds=3)
OPEN = CLOSED.model_copy(update=OutboundSettings(networks=("127.0.0.2/32",)).model_dump(include={"networks"}))

Start = Callable[[str], Awaitable[tuple[int, list[str]]]]


class Answers(AbstractResolver):
    """A name server that says one thing the first time and another the next."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


async def answer(request: web.Request) -> web.Response:
    match request.path:
        case "/bomb":
            body = gzip.compress(b"\0" * 20_000_000)
            return web.Response(body=body, headers={"Content-Encoding": "gzip"})
        case "/redirect":
            return web.Response(status=302, headers={"Location": request.query["to"]})
        case "/echo":
            return web.Response(body=await request.read(), headers={"X-Seen": request.headers.get("X-Sent", "")})
    return web.Response(text="canary")


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a canary on an address; gives its port, and the paths it was asked for."""
    runners = []

    async def starting(host: str) -> tuple[int, list[str]]:
        seen: list[str] = []

        @web.middleware
        async def note(
            request: web.Request, handler: Callable[..., Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            seen.append(request.path)
            return await handler(request)

        app = web.Application(middlewares=[note])
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, host, 0)
        await site.start()
        return runner.addresses[0][1], seen

    yield starting
    for runner in runners:
        await runner.cleanup()


async def test_no_hostile_url_reaches_the_canary(start: Start) -> None:
    port, seen = await start("127.0.0.1")
    async with Outbound(CLOSED) as outbound:
        for url in HOSTILE:
            with pytest.raises(InvalidArgument):
                await outbound.request("GET", url)
        for host in (
            "127.0.0.1",
            "127.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "localhost",
            "[::ffff:127.0.0.1]",
        ):
            with pytest.raises(InvalidArgument):
                await outbound.request("GET", f"http://{host}:{port}/")
    assert seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "localhost", "017700000001"])
async def test_the_connector_alone_refuses_what_no_form_would_show(start: Start, host: str) -> None:
    """As if the check of the form were not there: a session of one's own on the guarded connector."""
    port, seen = await start("127.0.0.1")
    async with aiohttp.ClientSession(connector=guarded_connector(CLOSED), trust_env=False) as session:
        with pytest.raises((aiohttp.ClientError, InvalidArgument)):
            await session.get(f"http://{host}:{port}/")
    assert seen == []


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["fe80::1%lo"], ["::ffff:127.0.0.1"]]
)
async def test_a_name_that_leads_to_a_private_address_is_refused(start: Start, addresses: list[str]) -> None:
    port, seen = await start("127.0.0.1")
    async with Outbound(CLOSED, Answers(addresses)) as outbound:
        with pytest.raises(InvalidArgument) as caught:
            await outbound.request("GET", f"http://harmless.example:{port}/")
    assert caught.value.reason == "ADDRESS_REFUSED"
    assert "127.0.0.1" not in caught.value.message
    assert seen == []


async def test_a_name_that_changes_its_answer_gains_nothing(start: Start) -> None:
    """Rebinding: permitted when it is looked up first, loopback's neighbour when it is looked up again."""
    good, asked = await start("127.0.0.2")
    _, seen = await start("127.0.0.1")
    async with Outbound(OPEN, Answers(["127.0.0.2"], ["127.0.0.1"])) as outbound:
        assert (await outbound.request("GET", f"http://rebind.example:{good}/")).body == b"canary"
        # The second connection asks again only when the first answer has aged; what it dials is judged anyway.
        async with Outbound(OPEN, Answers(["127.0.0.1"])) as later:
            with pytest.raises(InvalidArgument):
                await later.request("GET", f"http://rebind.example:{good}/")
    assert asked == ["/"]
    assert seen == []


async def test_a_redirect_is_an_answer_and_is_not_followed(start: Start) -> None:
    good, asked = await start("127.0.0.2")
    port, seen = await start("127.0.0.1")
    async with Outbound(OPEN) as outbound:
        url = f"http://127.0.0.2:{good}/redirect?to=http://127.0.0.1:{port}/"
        assert (await outbound.request("GET", url)).status == 302
    assert asked == ["/redirect"]
    assert seen == []


async def test_a_session_that_follows_redirects_is_held_at_each_hop(start: Start) -> None:
    good, _ = await start("127.0.0.2")
    port, seen = await start("127.0.0.1")
    async with aiohttp.ClientSession(connector=guarded_connector(OPEN), trust_env=False) as session:
        for target in (f"http://127.0.0.1:{port}/", f"http://2130706433:{port}/", f"http://localhost:{port}/"):
            with pytest.raises((aiohttp.ClientError, InvalidArgument)):
                await session.get(f"http://127.0.0.2:{good}/redirect", params={"to": target})
    assert seen == []


async def test_a_proxy_of_the_environment_is_not_asked(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    good, asked = await start("127.0.0.2")
    port, seen = await start("127.0.0.1")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    async with Outbound(OPEN) as outbound:
        assert (await outbound.request("GET", f"http://127.0.0.2:{good}/")).status == 200
    assert asked == ["/"]
    assert seen == []


async def test_what_is_sent_arrives_and_what_comes_is_given(start: Start) -> None:
    good, _ = await start("127.0.0.2")
    async with Outbound(OPEN) as outbound:
        got = await outbound.request("POST", f"http://127.0.0.2:{good}/echo", headers={"X-Sent": "a"}, body=b"hook")
    assert (got.status, got.body, got.headers["x-seen"]) == (200, b"hook", "a")


async def test_an_answer_is_counted_decompressed(start: Start) -> None:
    good, _ = await start("127.0.0.2")
    async with Outbound(OPEN) as outbound:
        with pytest.raises(InvalidArgument) as caught:
            await outbound.request("GET", f"http://127.0.0.2:{good}/bomb")
        assert caught.value.reason == "ANSWER_TOO_LARGE"
        with pytest.raises(InvalidArgument):
            await outbound.request("GET", f"http://127.0.0.2:{good}/", max_bytes=5)
        assert (await outbound.request("GET", f"http://127.0.0.2:{good}/", max_bytes=6)).body == b"canary"


async def test_nobody_there_and_nobody_answering_are_said_alike() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.2", 0))
        port = silent.getsockname()[1]
        async with Outbound(OPEN) as outbound:
            with pytest.raises(Unavailable) as refused:
                await outbound.request("GET", f"http://127.0.0.2:{port}/")
            silent.listen()
            with pytest.raises(Unavailable) as silence:
                await outbound.request("GET", f"http://127.0.0.2:{port}/", seconds=0.3)
    assert refused.value.message == silence.value.message
