"""Estimates of tokens: against counts of real tokenizers, and of providers on recorded requests."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.tokens import MEDIA_TOKENS, body_tokens, text_tokens
from llm_service.domain.calls import Call
from llm_service.policy.estimates import estimate_input
from llm_service.policy.uncounted import uncounted

RECORDINGS = Path(os.environ.get("AISP_RECORDINGS", "../shared/recordings/provider-traffic.jsonl"))
CALL = {"id": "a", "type": "function", "function": {"name": "lookup", "arguments": '{"q": "weather in Rome"}'}}


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", 0),
        ("Hello, world!", 4),
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("def add(a: int, b: int) -> int:\n    return a + b\n", 19),
        ("Supercalifragilisticexpialidocious internationalization", 12),
        ("The invoice 20231105 amounts to 1234567.89 euros.", 16),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю.", 19),
        ("今日は天気がいいので散歩に行きましょう。", 14),
    ],
)
def test_a_text_is_estimated_near_its_count(text: str, counted: int) -> None:
    """Counted by o200k."""
    assert abs(text_tokens(text) - counted) <= max(2, 0.35 * counted)


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(first: str, second: str) -> None:
    assert text_tokens(f"{first}\n{second}") >= text_tokens(first) - 1
    assert text_tokens(first) <= len(first.encode()) + 1


def test_an_image_is_not_counted_by_its_bytes() -> None:
    data = "A" * 400_000
    for part in (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
    ):
        document = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
        found = body_tokens(orjson.dumps(document), document)
        assert MEDIA_TOKENS < found < MEDIA_TOKENS + 100
        assert MEDIA_TOKENS < estimate_input(document, "m") < MEDIA_TOKENS + 100
    text = {"model": "m", "messages": [{"role": "user", "content": f"base64 {'word ' * 1000}"}]}
    assert body_tokens(orjson.dumps(text), text) == len(orjson.dumps(text)) // 4


def test_both_formats_of_a_request_are_estimated_alike() -> None:
    chat = {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "How is the weather?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "a", "content": "rain"},
        ]
    }
    messages = {
        "system": "Be kind.",
        "messages": [
            {"role": "user", "content": "How is the weather?"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "a", "name": "lookup", "input": {"q": "weather in Rome"}},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "rain"}]},
        ],
    }  # fmt: skip
    assert abs(estimate_input(chat, "m") - estimate_input(messages, "m")) <= 6


def counted() -> list[tuple[dict[str, Any], int]]:
    """Recorded requests with what their provider counted."""
    found = []
    for line in RECORDINGS.read_text().splitlines():
        row = json.loads(line)
        answers = row["response"] if isinstance(row["response"], list) else [row["response"]]
        usages = [answer.get("usage") for answer in answers if isinstance(answer, dict)]
        tokens = max((usage.get("prompt_tokens") or 0 for usage in usages if usage), default=0)
        if tokens and row["endpoint"].endswith("chat/completions"):
            found.append((row["request"], tokens))
    return found


@pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")
def test_recorded_requests_are_estimated_near_their_providers_count() -> None:
    """On the half that nothing was fitted to (docs/decisions/0015 has the figures)."""
    rows = [(asked, tokens) for asked, tokens in counted() if is_held_back(asked)]
    errors = sorted(abs(estimate_input(asked, asked["model"]) - tokens) / tokens for asked, tokens in rows)
    by_bytes = sorted(abs(len(orjson.dumps(asked)) // 4 - tokens) / tokens for asked, tokens in rows)
    middle, most = len(errors) // 2, int(len(errors) * 0.95)
    assert len(rows) > 80
    assert errors[middle] < 0.05 < by_bytes[middle]
    assert errors[most] < 0.2 < by_bytes[most]


def is_held_back(asked: dict[str, Any]) -> bool:
    """Which half a recorded request is of, by its hash."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()[0] % 2 == 1


def test_what_nobody_counted_is_counted_by_its_texts_whatever_they_hold() -> None:
    call = Call("gpt-x", orjson.dumps({"model": "gpt-x", "messages": [{"role": "user", "content": "Hello there!"}]}))
    whole = uncounted(call, ["One two three \U0001f600"])
    assert whole == uncounted(call, ["One two ", "three \ud83d", "\ude00"])
    assert whole.output == 3 + text_tokens("\U0001f600")
    assert uncounted(call, ["\ud83d"]).output >= 1
    assert (uncounted(call, []).output, whole.input) == (0, estimate_input(orjson.loads(call.body), "gpt-x"))
