"""Language models, embeddings and speech through the official SDK, on both base paths."""

import io
import re
import struct
import wave
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.e2e.conftest import Tenant

CHAT = "local/smollm2-135m-instruct"
EMBEDDING = "local/all-minilm-l6-v2"
HELLO = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(params=["/v1", "/api/v1"])
def sdk(tenant: Tenant, request: pytest.FixtureRequest) -> openai.OpenAI:
    return openai.OpenAI(base_url=tenant.base_url + request.param, api_key=tenant.key, max_retries=0)


def has(tenant: Tenant, model: str) -> bool:
    rows = tenant.client.get("/v1/models").json()["data"]
    return any(row["id"] == model and row["health"] == "ok" for row in rows)


def test_chat_plain_and_streamed(sdk: openai.OpenAI) -> None:
    plain = sdk.chat.completions.create(model=CHAT, messages=HELLO, max_tokens=12, temperature=0)  # type: ignore[arg-type]
    assert plain.choices[0].message.content
    assert plain.usage
    assert plain.usage.completion_tokens <= 12
    stream = sdk.chat.completions.create(
        model=CHAT, messages=HELLO, max_tokens=12, temperature=0, stream=True, stream_options={"include_usage": True}
    )  # type: ignore[call-overload]
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.prompt_tokens > 0


def test_the_sdk_raises_its_typed_exceptions(sdk: openai.OpenAI, tenant: Tenant) -> None:
    with pytest.raises(openai.NotFoundError):
        sdk.chat.completions.create(model="nope", messages=HELLO)  # type: ignore[arg-type]
    with pytest.raises(openai.BadRequestError):
        sdk.chat.completions.create(model=CHAT, messages=[])
    wrong = openai.OpenAI(base_url=tenant.base_url + "/v1", api_key="aisp_test_wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        wrong.models.list()


def test_a_prompt_that_is_too_long_has_the_code_that_clients_know(sdk: openai.OpenAI, tenant: Tenant) -> None:
    long: Any = [{"role": "user", "content": "word " * 9000}]
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            sdk.chat.completions.create(model=CHAT, messages=long, max_tokens=5, stream=stream)
        assert (caught.value.code, caught.value.type) == ("context_length_exceeded", "invalid_request_error")
        assert "maximum context length is" in caught.value.message
    body = {"model": CHAT, "messages": long, "max_tokens": 5}
    told = tenant.client.post("/v1/messages", json=body)
    assert (told.status_code, told.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "prompt is too long" in told.json()["error"]["message"]


def test_what_is_not_there_is_named(tenant: Tenant) -> None:
    missing = tenant.client.post("/v1/moderations", json={"input": "x"})
    assert (missing.status_code, missing.json()["error"]["message"]) == (404, "There is no route POST /v1/moderations.")
    wrong = tenant.client.get("/v1/chat/completions")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["error"]["type"] == "invalid_request_error"


def test_embeddings_as_floats_and_base64_are_the_same(sdk: openai.OpenAI, tenant: Tenant) -> None:
    made = sdk.embeddings.create(model=EMBEDDING, input=["one", "two"])
    floats = tenant.client.post(
        "/v1/embeddings", json={"model": EMBEDDING, "input": ["one", "two"], "encoding_format": "float"}
    ).json()
    assert made.data[1].embedding == pytest.approx(floats["data"][1]["embedding"])
    assert made.usage.prompt_tokens == floats["usage"]["prompt_tokens"] > 0
    tokens = sdk.embeddings.create(model=EMBEDDING, input=[101, 2028, 102])
    assert tokens.data[0].embedding == pytest.approx(made.data[0].embedding, abs=0.02)
    assert len(struct.pack("<384f", *made.data[0].embedding)) == 1536


def test_models_of_every_kind_are_listed(sdk: openai.OpenAI) -> None:
    names = {model.id for model in sdk.models.list()}
    assert {CHAT, EMBEDDING, "local/whisper-tiny.en"} <= names
    assert sdk.models.retrieve(CHAT).owned_by == "local"
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("nope")


def test_anthropics_sdk_reads_what_a_model_takes(tenant: Tenant) -> None:
    sdk = anthropic.Anthropic(base_url=tenant.base_url, api_key=tenant.key, max_retries=0)
    model = sdk.models.retrieve("claude-sonnet-4-5")
    assert (model.lifecycle, model.retires_at, model.max_input_tokens) == ("active", None, 200_000)
    assert model.max_tokens


def test_speech_goes_out_and_comes_back(sdk: openai.OpenAI, tenant: Tenant) -> None:
    if not has(tenant, "local/piper"):
        pytest.skip("no local voice here: Piper is in no image")
    spoken = sdk.audio.speech.create(
        model="local/piper", voice="alloy", input="The weather is fine today.", response_format="wav"
    ).read()
    with wave.open(io.BytesIO(spoken)) as file:
        assert file.getframerate() == 22_050
    heard = sdk.audio.transcriptions.create(model="local/whisper-tiny.en", file=("a.wav", spoken))
    # A small ear mishears a word now and then.
    assert len({"weather", "is", "fine", "today"} & set(re.findall(r"\w+", heard.text.lower()))) >= 2
    detailed = sdk.audio.transcriptions.create(
        model="local/whisper-tiny.en",
        file=("a.wav", spoken),
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert detailed.words
    assert detailed.words[0].start >= 0
    subtitles = sdk.audio.transcriptions.create(
        model="local/whisper-tiny.en", file=("a.wav", spoken), response_format="vtt"
    )
    assert str(subtitles).startswith("WEBVTT")


def test_what_is_no_audio_is_a_clear_error(tenant: Tenant) -> None:
    for content in (b"", b"this is a text"):
        answer = tenant.client.post(
            "/v1/audio/transcriptions", files={"file": ("a.wav", content)}, data={"model": "local/whisper-tiny.en"}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_audio")


def test_a_repeated_key_gives_the_same_answer_once_charged(tenant: Tenant) -> None:
    body = {"model": CHAT, "messages": HELLO, "max_tokens": 10, "temperature": 1}
    headers = {"Idempotency-Key": "abc-1"}
    with tenant.with_key() as client:
        first = client.post("/v1/chat/completions", json=body, headers=headers)
        second = client.post("/v1/chat/completions", json=body, headers=headers)
        other = client.post("/v1/chat/completions", json=body | {"max_tokens": 9}, headers=headers)
    assert first.content == second.content
    assert second.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422
    remaining = [int(answer.headers["x-ratelimit-remaining-requests"]) for answer in (first, second)]
    assert remaining[1] >= remaining[0] - 1


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"model": NaN}', 400),
        (b'{"model": "a", "messages": "x"}', 400),
        (b'{"model": "local/smollm2-135m-instruct", "messages": [{}], "model": "b"}', 400),
        (b'{"model": "local/smollm2-135m-instruct", "messages": [{"role": "user", "content": "\\ud800"}]}', 400),
        (b'{"model": "local/smollm2-135m-instruct", "messages": [1]}', 400),
        (
            b'{"model": "local/smollm2-135m-instruct", "messages": [{"role": "user", "content": ""}], "n_discard": 5}',
            400,
        ),
        (b'{"model": "a", "messages": [{}], "max_tokens": -1}', 400),
        (b'{"model": "a", "messages": [{}], "stream": "yes"}', 400),
    ],
)
def test_bad_documents_are_refused_in_openais_format(tenant: Tenant, content: bytes, status: int) -> None:
    answer = tenant.client.post("/v1/chat/completions", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_a_body_over_the_limit_is_413(tenant: Tenant) -> None:
    answer = tenant.client.post("/v1/chat/completions", content=b"x" * (17 * 1024 * 1024))
    assert answer.status_code == 413
    # Declared or not, on a raw route or an ordinary one: an error in the format of its family.
    ours = tenant.client.post("/api/v1/budgets", json={"name": "x" * 2_000_000})
    assert (ours.status_code, ours.json()["code"], ours.json()["status"]) == (413, "BODY_TOO_LARGE", 413)
    theirs = tenant.client.post("/v1/rerank", json={"query": "x", "documents": ["x" * (17 * 1024 * 1024)]})
    assert (theirs.status_code, theirs.json()["error"]["code"]) == (413, "body_too_large")


def test_every_answer_has_a_request_id(tenant: Tenant) -> None:
    mine = {"X-Request-Id": "my-id.1"}
    assert tenant.client.get("/v1/models", headers=mine).headers["x-request-id"] == "my-id.1"
    hostile = tenant.client.get("/v1/models", headers={"X-Request-Id": "a b"})
    assert hostile.headers["x-request-id"] != "a b"
    assert httpx.get(tenant.base_url + "/nowhere").headers["x-request-id"]
