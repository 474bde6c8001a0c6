"""What a hostile client sends to the public port: a clear refusal, quickly, and memory as it was."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.e2e.conftest import Platform, Tenant
from tests.promptness import PATIENCE

DEEP = 100_000
GROWTH_BYTES = 32 * 1024 * 1024
JSON_ROUTES = (
    "/api/v1/auth/register", "/api/v1/auth/token", "/api/v1/api-keys", "/api/v1/services/rag/search",
    "/api/v1/services/rag/chat", "/api/v1/services/rag/documents", "/v1/chat/completions", "/v1/embeddings",
    "/v1/audio/speech", "/v1/responses", "/v1/vector_stores",
)  # fmt: skip


def bodies() -> Iterator[tuple[str, bytes]]:
    yield "deep lists", b'{"messages": ' + b"[" * DEEP + b"]" * DEEP + b"}"
    yield "deep objects", b'{"a":' * DEEP + b"1" + b"}" * DEEP
    yield "not a number", b'{"model": "local/smollm2-135m-instruct", "temperature": NaN}'
    yield "a lone surrogate", b'{"model": "\\ud800", "query": "\\udfff"}'
    yield "not UTF-8", b'{"model": "\xff\xfe"}'
    yield "a list", b"[" + b"1," * 10_000 + b"1]"
    yield "a number", b"1e999999"
    yield "nothing", b""
    yield "half", b'{"model": "local'
    yield "many keys", b"{" + b",".join(b'"k%d":1' % number for number in range(50_000)) + b"}"


@pytest.fixture(scope="module")
def gateway(platform: Platform) -> psutil.Process:
    if platform.directory is None:
        pytest.skip("the platform was not started by this suite")
    pids: Any = platform.run["pids"]
    return psutil.Process(pids["gateway"])


@pytest.mark.parametrize("path", JSON_ROUTES)
def test_bad_bodies_are_the_clients_mistake(tenant: Tenant, path: str) -> None:
    for name, body in bodies():
        answer = tenant.client.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 413, 415, 422), (path, name, answer.text[:300])
        assert answer.headers["x-request-id"]


def test_a_key_that_decides_may_not_come_twice(tenant: Tenant) -> None:
    body = b'{"model": "local/smollm2-135m-instruct", "model": "other", "messages": [{"role": "user", "content": "x"}]}'
    answer = tenant.client.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "model"


@pytest.mark.parametrize("path", JSON_ROUTES)
def test_200_megabytes_are_refused_and_not_kept(tenant: Tenant, gateway: psutil.Process, path: str) -> None:
    before, started = gateway.memory_info().rss, time.monotonic()
    part = b'{"model": "' + b"x" * (1024 * 1024)

    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield part

    with suppress(httpx.WriteError, httpx.RemoteProtocolError):
        # Of unknown length, and of a declared one.
        assert tenant.client.post(path, content=endless()).status_code in (400, 413, 422)
    head = {"content-length": str(200 * 1024 * 1024)}
    address = urlsplit(tenant.base_url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=PATIENCE) as connection:
        lines = {"host": "a", "authorization": f"Bearer {tenant.token}", "content-type": "application/json"} | head
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection.sendall(f"POST {path} HTTP/1.1\r\n{text}\r\n".encode())
        declared = connection.recv(4096)
    assert declared.split(b" ")[1] in (b"413", b"422", b"400"), declared
    # A body up to the route's bound may be held while it comes, and is given back.
    assert gateway.memory_info().rss - before < 2 * GROWTH_BYTES
    assert time.monotonic() - started < PATIENCE


@pytest.mark.parametrize("carrier", ["bearer", "x-api-key", "basic"])
def test_credentials_are_only_ever_refused(platform: Platform, carrier: str) -> None:
    hostile = [
        "' OR 1=1 --", "aisp_live_' OR '1'='1", "aisp_live_0000000000000000_" + "0" * 49, "a" * 5000, "\x7f", "%00",
        "é" * 10, "eyJhbGciOiJub25lIn0.e30.", "..", "null", "{}", "Bearer Bearer",
    ]  # fmt: skip
    address = urlsplit(platform.base_url)
    for value in hostile:
        header = {"bearer": f"Authorization: Bearer {value}", "x-api-key": f"x-api-key: {value}",
                  "basic": f"Authorization: Basic {value}"}[carrier]  # fmt: skip
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=PATIENCE) as connection:
            request = f"GET /api/v1/users/me HTTP/1.1\r\nHost: a\r\n{header}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            answer = b""
            while part := connection.recv(65536):
                answer += part
        assert answer.split(b" ")[1] in (b"401", b"429", b"400"), (value, answer[:300])
        body = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert "SQL" not in json.dumps(body)


def test_control_characters_reach_no_log_as_they_are(platform: Platform, tenant: Tenant) -> None:
    if platform.directory is None:
        pytest.skip("the platform was not started by this suite")
    mark = "esc-canary"
    for path in (f"/v1/models/{mark}%1b%5b2J%0d%0aforged", f"/{mark}%e2%80%a8"):
        assert tenant.client.get(path).status_code == 404
    model = {"model": f"{mark}\x1b[2J\r\nforged", "messages": [{"role": "user", "content": "x"}]}
    assert tenant.client.post("/v1/chat/completions", json=model).status_code in (400, 404)
    found = 0
    for log in (platform.directory / "logs").glob("*.log"):
        for line in log.read_bytes().splitlines():
            if mark.encode() in line:
                found += 1
                json.loads(line)
                assert b"\x1b" not in line
    assert found


def test_what_a_client_claims_never_becomes_a_header(tenant: Tenant) -> None:
    answer = tenant.client.get("/v1/models/x%0d%0aSet-Cookie:%20a=b")
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
