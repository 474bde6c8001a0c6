"""The edge around an application of a few lines: what it refuses, what it adds, how it ends what is cut off."""

import asyncio
import contextlib
import json
from typing import Any, cast

import pytest

from gateway.auth import Authenticator
from gateway.edge import Edge, Receive, Scope, Send
from gateway.settings import EdgeSection
from gateway.throttle import Throttle
from gateway.tokens import SharedSecret, TokenRules, TokenVerifier


class Answer:
    """What was sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.finished = False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")
            self.finished = not message.get("more_body", False)

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])


async def ok(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def too_large(_scope: Scope, _receive: Receive, send: Send) -> None:
    """As Starlette says it."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"17")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": b"Content Too Large"})


async def nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def scope(path: str = "/open", headers: list[tuple[bytes, bytes]] | None = None, **more: Any) -> dict[str, Any]:
    tokens = TokenVerifier(SharedSecret(b"s" * 32), TokenRules("aisp", "aisp"))
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"api.example.com")] if headers is None else headers,
        "client": ("203.0.113.9", 5),
        "server": ("127.0.0.1", 8000),
        # No test here brings a key or a good token: the auth service is never asked.
        "state": {"throttle": Throttle(3), "authenticator": Authenticator(tokens, cast(Any, None))},
    } | more


async def call(asked: dict[str, Any], bounds: EdgeSection | None = None, admin_port: int = 0, app: Any = ok) -> Answer:
    answer = Answer()
    await Edge(app, bounds or EdgeSection(), admin_port)(asked, nothing, answer.send)
    return answer


@pytest.mark.parametrize("path", ["/api/v1/deletions/x", "/nowhere"])
async def test_a_body_that_is_declared_too_large_is_told_so_in_our_format(path: str) -> None:
    answer = await call(scope(path), app=too_large)
    assert (answer.status, answer.code, answer.finished) == (413, "BODY_TOO_LARGE", True)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [b"a.example", b"a.example"],
        [b"a.example", b"b.example"],
        [b""],
        [b"a.example/v1/x?"],
        [b"a.example, b.example"],
        [b"user@a.example"],
        [b"a.example:80:80"],
        [b"a.example:port"],
        [b"a" * 300],
    ],
)
async def test_exactly_one_host(hosts: list[bytes]) -> None:
    answer = await call(scope(headers=[(b"host", host) for host in hosts]))
    assert (answer.status, answer.code) == (400, "BAD_HOST")


@pytest.mark.parametrize("host", [b"a.example", b"A.Example:8000", b"127.0.0.1:80", b"[::1]:80", b"localhost"])
async def test_a_host_is_a_name_or_an_address(host: bytes) -> None:
    assert (await call(scope(headers=[(b"host", host)]))).status == 200


async def test_only_hosts_of_the_list_where_there_is_one() -> None:
    bounds = EdgeSection(hosts=("api.example.com",))
    assert (await call(scope(headers=[(b"host", b"API.example.com:443")]), bounds)).status == 200
    assert (await call(scope(headers=[(b"host", b"evil.example")]), bounds)).code == "BAD_HOST"


@pytest.mark.parametrize(
    "name", [b"authorization", b"x-api-key", b"api-key", b"content-type", b"content-length", b"idempotency-key"]
)
async def test_what_decides_comes_once(name: bytes) -> None:
    answer = await call(scope(headers=[(b"host", b"a.example"), (name, b"1"), (name, b"1")]))
    assert (answer.status, answer.code) == (400, "REPEATED_HEADER")


@pytest.mark.parametrize(
    ("path", "port", "status"),
    [
        ("/api/v1/admin/tenants", 8000, 404),
        ("/api/v1/admin/tenants", 8100, 401),
        ("/api/v1/usage/summary", 8000, 401),
        ("/api/v1/usage/summary", 8100, 404),
    ],
)
async def test_operators_have_a_port_of_their_own(path: str, port: int, status: int) -> None:
    assert (await call(scope(path, server=("127.0.0.1", port)), admin_port=8100)).status == status


async def test_without_such_a_port_there_is_one_for_all() -> None:
    assert (await call(scope("/api/v1/admin/tenants"))).status == 401


async def test_bad_credentials_are_throttled_by_address() -> None:
    asked = scope("/api/v1/users/me", [(b"host", b"a"), (b"authorization", b"Bearer nonsense")])
    throttle = asked["state"]["throttle"]
    found = []
    for _ in range(4):
        again = scope("/api/v1/users/me", asked["headers"])
        again["state"]["throttle"] = throttle
        found.append(await call(again))
    assert [answer.status for answer in found] == [401, 401, 401, 429]
    assert int(found[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [(b"abc-1.2_X", True), (b"a" * 128, True), (b"a" * 129, False), (b"a b", False), (b"\x1b[2J", False), (b"", False)],
)
async def test_a_request_id_is_safe_or_ours(given: bytes, *, kept: bool) -> None:
    answer = await call(scope(headers=[(b"host", b"a"), (b"x-request-id", given)]))
    assert (answer.headers["x-request-id"] == given.decode()) is kept
    assert answer.headers["x-request-id"]


async def test_the_unexpected_tells_nothing() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("the password is hunter2")

    answer = await call(scope(), app=broken)
    assert answer.status == 500
    assert b"hunter2" not in answer.body


class Everybody:
    """An authenticator that lets all in."""

    async def authenticate(self, *_arguments: Any) -> None:
        return None


async def cut_off(path: str, app: Any) -> Answer:
    """The answer to a request that is cancelled while the application works."""
    answer = Answer()
    asked = scope(path)
    asked["state"]["authenticator"] = Everybody()
    task = asyncio.ensure_future(Edge(app, EdgeSection())(asked, nothing, answer.send))
    await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return answer


@pytest.mark.usefixtures("leaping")
async def test_a_drained_request_is_told_to_come_again() -> None:
    async def slow(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.sleep(60)

    answer = await cut_off("/api/v1/usage/summary", slow)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "DRAINING", "1")


@pytest.mark.usefixtures("leaping")
@pytest.mark.parametrize(
    ("path", "start"),
    [("/api/v1/services/rag/chat", b"event: error\ndata: {"), ("/v1/chat/completions", b'data: {"error":{')],
)
async def test_a_drained_stream_ends_with_an_event_that_says_so(path: str, start: bytes) -> None:
    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await asyncio.sleep(60)

    answer = await cut_off(path, stream)
    assert answer.finished
    last = answer.body.removeprefix(b"data: 1\n\n")
    assert last.startswith(start)
    assert last.endswith(b"\n\n")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/open", "/open"),
        ("/open/", "/open"),
        ("/", "/"),
        ("//", "/"),
        ("/api/v1/messages/batches/", "/v1/messages/batches"),
        ("/api/v1/batches", "/v1/batches"),
        ("/api/v1/fine_tuning/jobs", "/v1/fine_tuning/jobs"),
        ("/api/v1/models/aliases", "/api/v1/models/aliases"),
        ("/api/v1/usage/summary/", "/api/v1/usage/summary"),
    ],
)
async def test_a_route_has_one_path(path: str, route: str) -> None:
    asked = scope(path)
    await call(asked)
    assert (asked["path"], asked["raw_path"]) == (route, route.encode())


@pytest.mark.parametrize(("path", "version", "told"), [("/v1/models", True, True), ("/v1/models", False, False)])
async def test_anthropics_sdk_finds_the_requests_id(path: str, version: bool, told: bool) -> None:
    headers = [(b"host", b"a.example"), *([(b"anthropic-version", b"2023-06-01")] if version else [])]
    assert ("request-id" in (await call(scope(path, headers))).headers) is told
