"""Pages of other origins, around the edge: asked beforehand without credentials, and told why they are refused."""

from typing import Any

import pytest

from gateway.cors import Cors
from gateway.edge import Edge, Receive, Scope, Send
from gateway.settings import EdgeSection
from gateway.sse import WRITE
from tests.unit.test_gateway_edge import Answer, nothing, scope

PAGE = "https://app.example"
ASKED = "authorization,content-type,x-stainless-lang,anthropic-version,anthropic-dangerous-direct-browser-access"
HEADERS = [
    (b"host", b"api.example.com"),
    (b"origin", PAGE.encode()),
    (b"access-control-request-method", b"POST"),
    (b"access-control-request-headers", ASKED.encode()),
]


async def call(asked: dict[str, Any], app: Any = None) -> Answer:
    async def ok(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]})
        await send({"type": "http.response.body", "body": b"ok"})

    answer = Answer()
    await Cors(Edge(app or ok, EdgeSection()), [PAGE])(asked, nothing, answer.send)
    return answer


async def test_a_browser_asks_without_credentials() -> None:
    answer = await call(scope("/v1/chat/completions", HEADERS, method="OPTIONS"))
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-headers"] == ASKED
    assert "POST" in answer.headers["access-control-allow-methods"]


async def test_a_page_of_another_origin_may_not() -> None:
    asked = [(name, b"https://evil.example" if name == b"origin" else value) for name, value in HEADERS]
    answer = await call(scope("/v1/chat/completions", asked, method="OPTIONS"))
    assert answer.status == 400
    assert "access-control-allow-origin" not in answer.headers


async def test_a_page_reads_why_it_is_refused() -> None:
    answer = await call(scope("/v1/models", HEADERS[:2]))
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "x-ratelimit-remaining-tokens" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("page", [True, False])
async def test_only_what_a_page_asks_is_written_by_asgis_messages(page: bool) -> None:
    found = []

    async def seen(asked: Scope, _receive: Receive, send: Send) -> None:
        found.append(asked["extensions"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    answer = await call(scope(headers=HEADERS[: 1 + page], extensions={WRITE: {}}), seen)
    assert (WRITE in found[0]) is not page
    assert ("access-control-allow-origin" in answer.headers) is page
