"""Three gateway processes before real services: revocation under load, key pairs over HTTP, PostgreSQL stopped."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import jwt
import pytest

from tests.integration.cluster import Cluster, running
from tests.promptness import PATIENCE, PROMPT

RATE = int(os.environ.get("AISP_LOAD", "60"))
"""Requests a second beside what is measured; `make chaos` asks for 1,000."""
ROUNDS = int(os.environ.get("AISP_REVOCATIONS", "15"))
LEAD = 1.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = {
        "AI_PLATFORM_JWT__ALGORITHM": "EdDSA",
        "AI_PLATFORM_JWT__ROTATION_LEAD_SECONDS": str(LEAD),
        "AI_PLATFORM_GATEWAY__DRAIN_SECONDS": "1",
    }
    with running(tmp_path_factory.mktemp("cluster"), gateways=3, **settings) as made:
        yield made


def tell(figures: object) -> None:
    """For a person who asked for them with `-s`."""
    sys.stderr.write(f"\n{figures}\n")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def load(cluster: Cluster, token: str, report: Path, rate: int = RATE) -> Iterator[None]:
    """So many authenticated calls a second, spread over the gateways, out of a process of its own."""
    program = Path(__file__).with_name("identity_load.py")
    command = [sys.executable, str(program), str(rate), *cluster.urls]
    process = subprocess.Popen(command, env=os.environ | {"AISP_TOKEN": token}, stdout=report.open("wb"))
    try:
        time.sleep(1)
        assert process.poll() is None
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def refused_after(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], path: str = "/api/v1/tenants/me"
) -> float:
    """Seconds until a call is refused; PROMPT at most."""
    began = time.perf_counter()
    while time.perf_counter() - began < PROMPT:
        async with session.get(f"{url}{path}", headers=headers) as answer:
            if answer.status in (401, 403):
                return time.perf_counter() - began
            assert answer.status == 200, await answer.text()
        await asyncio.sleep(0.002)
    raise AssertionError("never refused")


async def test_a_revoked_key_is_refused_by_three_processes_under_load(cluster: Cluster, tmp_path: Path) -> None:
    owner = cluster.register()
    with cluster.operator() as operator:
        limits = {"management_requests_per_minute": 1_000_000}
        for plan in ({"plan": "enterprise"}, {"limits": limits}):
            operator.patch(f"/api/v1/admin/tenants/{owner['id']}", json=plan).raise_for_status()
    token = cluster.log_in(owner)["access_token"]
    report = tmp_path / "load"
    spent: list[list[float]] = [[] for _ in cluster.urls]
    with load(cluster, token, report):
        async with aiohttp.ClientSession() as session:
            for _ in range(ROUNDS):
                keys = f"{cluster.urls[0]}/api/v1/api-keys"
                async with session.post(keys, json={"name": "a"}, headers=bearer(token)) as answer:
                    key = await answer.json()
                for url in cluster.urls:
                    async with session.get(f"{url}/api/v1/tenants/me", headers={"x-api-key": key["key"]}) as answer:
                        assert answer.status == 200
                async with session.delete(f"{keys}/{key['id']}", headers=bearer(token)) as answer:
                    assert answer.status == 204
                waits = [refused_after(session, url, {"x-api-key": key["key"]}) for url in cluster.urls]
                for replica, seconds in zip(spent, await asyncio.gather(*waits), strict=True):
                    replica.append(seconds)
    told = [f"p50 {statistics.median(one) * 1e3:.0f} ms, max {max(one) * 1e3:.0f} ms" for one in spent]
    tell(f"{ROUNDS} revocations, three gateway processes, load {report.read_text().strip()}: {'; '.join(told)}")
    assert max(map(statistics.median, spent)) < 1, told


async def everywhere(cluster: Cluster, done: Callable[[aiohttp.ClientSession, str], Awaitable[bool]]) -> float:
    """Seconds until it is so at every gateway; PROMPT at most."""
    began = time.perf_counter()
    async with aiohttp.ClientSession() as session:

        async def there(url: str) -> float:
            while not await done(session, url):
                assert time.perf_counter() - began < PROMPT, "never"
                await asyncio.sleep(0.005)
            return time.perf_counter() - began

        return max(await asyncio.gather(*(there(url) for url in cluster.urls)))


async def test_every_change_is_in_force_everywhere_within_a_second(cluster: Cluster) -> None:
    owner = cluster.register()
    headers = bearer(owner["access_token"])
    key = cluster.key(owner)
    colleague = cluster.join(owner, "admin")

    def answers(credentials: dict[str, str], status: int, path: str) -> Callable[..., Awaitable[bool]]:
        async def done(session: aiohttp.ClientSession, url: str) -> bool:
            async with session.get(f"{url}{path}", headers=credentials) as answer:
                return bool(answer.status == status)

        return done

    def limited(most: str) -> Callable[..., Awaitable[bool]]:
        async def done(session: aiohttp.ClientSession, url: str) -> bool:
            body = {"model": "local/all-minilm-l6-v2", "input": "a"}
            async with session.post(f"{url}/v1/embeddings", json=body, headers={"x-api-key": key}) as answer:
                return most in answer.headers.get("RateLimit-Policy", "")

        return done

    tenant = f"/api/v1/admin/tenants/{owner['id']}"
    spent = {}
    with cluster.operator() as operator:
        await everywhere(cluster, limited("q=100;w=60"))
        operator.patch(tenant, json={"plan": "pro"}).raise_for_status()
        spent["plan"] = await everywhere(cluster, limited("q=1000;w=60"))
        operator.patch(tenant, json={"limits": {"requests_per_minute": 777}}).raise_for_status()
        spent["limit"] = await everywhere(cluster, limited("q=777;w=60"))
        theirs = bearer(colleague["access_token"])
        await everywhere(cluster, answers(theirs, 200, "/api/v1/users"))
        member = f"{cluster.urls[0]}/api/v1/users/{colleague['user_id']}"
        operator.patch(member, json={"role": "viewer"}, headers=headers).raise_for_status()
        spent["role"] = await everywhere(cluster, answers(theirs, 403, "/api/v1/users"))
        operator.patch(tenant, json={"status": "suspended"}).raise_for_status()
        spent["suspension"] = await everywhere(cluster, answers({"x-api-key": key}, 403, "/api/v1/tenants/me"))
        await everywhere(cluster, answers(headers, 403, "/api/v1/tenants/me"))
        operator.patch(tenant, json={"status": "active"}).raise_for_status()
        spent["back"] = await everywhere(cluster, answers({"x-api-key": key}, 200, "/api/v1/tenants/me"))
    tell({name: f"{seconds * 1e3:.0f} ms" for name, seconds in spent.items()})
    assert statistics.median(spent.values()) < 1, spent


def test_key_pairs_over_http_old_tokens_work_through_the_overlap(cluster: Cluster) -> None:
    before = cluster.register()
    jwks = f"{cluster.urls[1]}/.well-known/jwks.json"
    with cluster.operator() as operator:
        published = httpx.get(jwks)
        assert published.headers["cache-control"] == "public, max-age=30"
        first = published.json()["keys"]
        # Anybody can verify with what is published, and a public key is all that there is.
        header = jwt.get_unverified_header(before["access_token"])
        public = jwt.PyJWK(next(key for key in first if key["kid"] == header["kid"]))
        claims = jwt.decode(before["access_token"], public, algorithms=["EdDSA"], audience="aisp", issuer="aisp")
        assert claims["tid"] == before["id"]
        assert {name for key in first for name in key} == {"kty", "crv", "x", "kid", "use", "alg"}
        made = operator.post("/api/v1/admin/signing-keys/rotate", json={}).raise_for_status().json()
        listed = operator.get("/api/v1/admin/signing-keys").json()["data"]
        assert {made["id"], header["kid"]} <= {key["id"] for key in listed}
        assert next(key for key in listed if key["id"] == header["kid"])["retires_at"] is not None
        for url in cluster.urls:
            assert made["id"] in {key["kid"] for key in httpx.get(f"{url}/.well-known/jwks.json").json()["keys"]}
            assert httpx.get(f"{url}/api/v1/users/me", headers=bearer(before["access_token"])).status_code == 200
        deadline = time.monotonic() + LEAD + PATIENCE
        while jwt.get_unverified_header((now := cluster.log_in(before))["access_token"])["kid"] != made["id"]:
            assert time.monotonic() < deadline
        for url in cluster.urls:
            for token in (before["access_token"], now["access_token"]):
                assert httpx.get(f"{url}/api/v1/users/me", headers=bearer(token)).status_code == 200

        renewed = operator.post("/api/v1/admin/encryption/renew").raise_for_status().json()
        assert renewed["signing_keys"] == 0, "all are under the current secret"
        # The old ones were stolen: their tokens end now, everywhere; who refreshes goes on.
        operator.post("/api/v1/admin/signing-keys/rotate", json={"at_once": True}).raise_for_status()
    for url in cluster.urls:
        deadline = time.monotonic() + PROMPT
        while httpx.get(f"{url}/api/v1/users/me", headers=bearer(before["access_token"])).status_code != 401:
            assert time.monotonic() < deadline
    again = {"grant_type": "refresh_token", "refresh_token": before["refresh_token"]}
    fresh = httpx.post(f"{cluster.urls[2]}/api/v1/auth/token", json=again).raise_for_status().json()
    assert httpx.get(f"{cluster.urls[0]}/api/v1/users/me", headers=bearer(fresh["access_token"])).status_code == 200


def test_a_new_encryption_secret_over_restarts(cluster: Cluster) -> None:
    """In every service that keeps secrets, by one call, and then by the commands."""
    before = cluster.register()
    headers = bearer(before["access_token"])
    hook = {"url": "https://example.com/hooks", "event_types": ["budget.exhausted"]}
    httpx.post(f"{cluster.urls[0]}/api/v1/webhooks", json=hook, headers=headers).raise_for_status()
    one, two = (letter * 20 + "0123456789" * 2 for letter in "ab")
    keeping = ("auth_service", "usage_service", "usage_service-worker", "llm_service")
    # What was encrypted before there was a secret for it opens still, and is encrypted anew.
    cluster.restart(*keeping, AI_PLATFORM_ENCRYPTION__SECRET=one)
    with cluster.operator() as operator:
        renewed = operator.post("/api/v1/admin/encryption/renew").raise_for_status().json()
        assert (renewed["signing_keys"] >= 1, renewed["audit_heads"] >= 1) == (True, True)
        assert (renewed["webhooks"], renewed["provider_keys"]) == (1, 0)
        again = operator.post("/api/v1/admin/encryption/renew").json()
        assert (again["signing_keys"], again["webhooks"]) == (0, 0)
    told = {"AI_PLATFORM_ENCRYPTION__SECRET": two, "AI_PLATFORM_ENCRYPTION__PREVIOUS": json.dumps([one])}
    assert "signing keys and" in cluster.command("auth_service", "reencrypt", **told)
    assert cluster.command("usage_service", "reencrypt", **told) == "webhooks: 1 secrets were encrypted anew\n"
    assert cluster.command("llm_service", "reencrypt", **told).startswith("provider_keys: 0 secrets were")
    # The old ones are thrown away: all that was there works on.
    cluster.restart(*keeping, AI_PLATFORM_ENCRYPTION__SECRET=two)
    log_in = {"email": before["email"], "password": before["password"]}
    assert httpx.post(f"{cluster.urls[0]}/api/v1/auth/token", json=log_in, timeout=30).status_code == 200
    chains = cluster.command("auth_service", "audit", "verify", AI_PLATFORM_ENCRYPTION__SECRET=two)
    assert f"{before['id']}: " in chains
    assert "not here" not in chains


def _embed(url: str, body: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{url}/v1/embeddings", json=body, headers=headers, timeout=30)


def test_postgresql_stopped_tokens_work_on_and_the_rest_is_told(cluster: Cluster) -> None:
    owner = cluster.register()
    headers = bearer(owner["access_token"])
    key = cluster.key(owner)
    body = {"model": "local/all-minilm-l6-v2", "input": "a"}
    for url in cluster.urls:
        for credentials in (headers, {"x-api-key": key}):
            assert httpx.post(f"{url}/v1/embeddings", json=body, headers=credentials, timeout=30).status_code == 200
    postgres = cluster.platform.postgres
    postgres.process.stop()
    try:
        for url in cluster.urls:
            # Nothing of identity is needed but what is known: tokens, and keys that were seen while the stream lives.
            assert httpx.post(f"{url}/v1/embeddings", json=body, headers=headers, timeout=30).status_code == 200
        login = {"email": owner["email"], "password": owner["password"]}
        needing: list[Callable[[], httpx.Response]] = [
            lambda: httpx.post(f"{cluster.urls[0]}/api/v1/auth/token", json=login, timeout=30),
            lambda: httpx.post(f"{cluster.urls[0]}/api/v1/auth/register", json=login | {"email": "a@example.com"},
                               timeout=30),
            lambda: httpx.get(f"{cluster.urls[1]}/api/v1/users/me", headers=headers, timeout=30),
            lambda: httpx.get(f"{cluster.urls[2]}/api/v1/api-keys", headers=headers, timeout=30),
        ]  # fmt: skip
        for call in needing:
            began = time.monotonic()
            answer = call()
            assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNAVAILABLE"), answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert "try again" in answer.json()["detail"]
            assert time.monotonic() - began < 25
        ready: Any = cluster.processes["auth_service"]
        assert httpx.get(f"{ready.ops_url}/readyz").status_code == 503
        for url in cluster.urls:
            # The stream breaks off: then every key is asked about, and the answer is that nobody can say.
            deadline = time.monotonic() + PATIENCE
            while (unseen := _embed(url, body, {"x-api-key": key})).status_code != 503:
                assert (unseen.status_code, time.monotonic() < deadline) == (200, True), unseen.text
                time.sleep(0.1)
            assert _embed(url, body, headers).status_code == 200
            assert "retry-after" in unseen.headers
    finally:
        postgres.start()
        asyncio.run(postgres.wait_ready())
    for label in ("auth_service", "usage_service", "gateway-0", "gateway-1", "gateway-2"):
        cluster.ready(label)
    assert httpx.get(f"{cluster.urls[0]}/api/v1/users/me", headers=headers, timeout=30).status_code == 200
