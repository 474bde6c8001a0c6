"""Limits that are no requests and no tokens, reached by many at once: audio, characters, stored bytes, over HTTP."""

import io
import wave
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.conftest import Tenant
from tests.e2e.test_usage import summary

AT_ONCE = 12
SECONDS = 2
SPOKEN = "Good day. "
STORED = "A hundred bytes or so of text. "
Ask = Callable[[httpx.Client, int], httpx.Response]


def recording() -> bytes:
    """SECONDS of silence: what is said in them costs nothing, that they are listened to does."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000 * SECONDS))
    return held.getvalue()


def transcribe(client: httpx.Client, _number: int) -> httpx.Response:
    files = {"file": ("a.wav", recording())}
    return client.post("/v1/audio/transcriptions", files=files, data={"model": "local/whisper-tiny.en"})


def speak(client: httpx.Client, _number: int) -> httpx.Response:
    return client.post("/v1/audio/speech", json={"model": "local/piper", "voice": "alloy", "input": SPOKEN})


def store(client: httpx.Client, number: int) -> httpx.Response:
    return client.post("/api/v1/services/rag/documents", json={"text": f"{STORED}{number:04}"})


@pytest.mark.parametrize(
    ("name", "each", "ask", "column", "wanted"),
    [
        ("audio_seconds_per_day", SECONDS, transcribe, "audio_seconds", 200),
        ("characters_per_day", len(SPOKEN), speak, "characters", 200),
        ("storage_bytes", len(STORED) + 4, store, None, 202),
    ],
)
def test_exactly_what_fits_is_admitted(
    new_tenant: Callable[..., Tenant],
    operator: httpx.Client,
    name: str,
    each: int,
    ask: Ask,
    column: str | None,
    wanted: int,
) -> None:
    tenant = new_tenant()
    changed = operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"limits": {name: 4 * each + each // 2}})
    assert changed.status_code == 200
    with tenant.with_key() as client, ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda number: ask(client, number), range(AT_ONCE)))
    assert Counter(answer.status_code for answer in answers) == {wanted: 4, 429: AT_ONCE - 4}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert name in refused.text
    if column:
        assert summary(tenant, 4)["totals"][column] == 4 * each
    limits = {row["name"]: row for row in tenant.client.get("/api/v1/usage/limits").json()["data"]}
    assert limits[name]["used"] == 4 * each
