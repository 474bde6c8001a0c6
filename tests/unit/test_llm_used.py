"""What a provider's answer says that it used."""

from typing import Any

import pytest

from llm_service.policy.tokens import tokens_of, tokens_of_message, tokens_of_response

SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}}


@pytest.mark.parametrize(
    ("output", "searches"),
    [
        ([SEARCH, {"type": "message"}, SEARCH], 2),
        ([SEARCH | {"action": {"type": "open_page", "url": "https://example.com"}}, {"type": "reasoning"}], 0),
        ([SEARCH | {"action": None}, "x", None], 1),
        (None, 0),
    ],
)
def test_searches_of_a_response_are_items_of_its_output(output: Any, searches: int) -> None:
    used = tokens_of_response({"input_tokens": 7, "output_tokens": 3}, output)
    assert (used.input, used.output, used.searches) == (7, 3, searches)


@pytest.mark.parametrize(
    ("usage", "searches"),
    [
        ({"server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 5}}, 2),
        ({"server_tool_use": None}, 0),
        ({"server_tool_use": {"web_search_requests": -1}}, 0),
        ({}, 0),
    ],
)
def test_searches_of_a_message_are_told_in_its_usage(usage: dict[str, Any], searches: int) -> None:
    assert tokens_of_message(usage).searches == searches


def test_searches_of_a_completion_are_told_by_perplexity() -> None:
    assert tokens_of({"prompt_tokens": 1, "num_search_queries": 2}).searches == 2
