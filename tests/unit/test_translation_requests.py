"""Requests between chat completions and messages: what both can say comes back equal, whatever comes is translated or
refused.
"""

from contextlib import suppress
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.document import BadDocument
from llm_service.domain.errors import Unsupported
from llm_service.policy.translation.request_to_chat import request_to_chat
from llm_service.policy.translation.request_to_messages import request_to_messages
from tests.unit.translation_words import CHAT, JSON, MESSAGES, MOST


@given(MESSAGES)
@settings(max_examples=400, deadline=None)
def test_messages_come_back_equal(asked: dict[str, Any]) -> None:
    assert request_to_messages(request_to_chat(asked), MOST) == asked


@given(CHAT)
@settings(max_examples=400, deadline=None)
def test_chat_completions_come_back_equal(asked: dict[str, Any]) -> None:
    assert request_to_chat(request_to_messages(asked, MOST)) == asked


def mutated(asked: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A request in which something, anywhere, is something else."""

    @st.composite
    def mutate(draw: st.DrawFn) -> dict[str, Any]:
        document = draw(asked)
        at: Any = document
        while isinstance(at, dict | list) and at:
            key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            if not isinstance(at[key], dict | list) or not at[key] or draw(st.integers(0, 3)) == 0:
                at[key] = draw(JSON)
                break
            at = at[key]
        return document

    return mutate()


@given(mutated(MESSAGES), mutated(CHAT))
@settings(max_examples=400, deadline=None)
def test_whatever_comes_is_translated_or_refused(messages: dict[str, Any], chat: dict[str, Any]) -> None:
    for translate, asked in ((request_to_chat, messages), (lambda told: request_to_messages(told, MOST), chat)):
        with suppress(Unsupported, BadDocument):
            told = translate(orjson.loads(orjson.dumps(asked)))
            assert orjson.loads(orjson.dumps(told)) == told
