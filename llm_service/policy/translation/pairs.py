"""The two directions, each as one Translation."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from llm_service.domain.calls import PLAIN, Answer, Call, Format
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.policy.answers import read_answer
from llm_service.policy.documents import read_chat, read_messages
from llm_service.policy.translation.answer_to_chat import answer_to_chat
from llm_service.policy.translation.answer_to_messages import answer_to_messages
from llm_service.policy.translation.request_to_chat import request_to_chat
from llm_service.policy.translation.request_to_messages import request_to_messages
from llm_service.policy.translation.stream_to_chat import StreamToChat
from llm_service.policy.translation.stream_to_messages import StreamToMessages


class MessagesByChat:
    """A client of Anthropic's format, a model of OpenAI's."""

    source, target = Format.MESSAGES, Format.CHAT_COMPLETIONS
    names: Mapping[str, str] = {  # a table
        "max_completion_tokens": "max_tokens",
        "stop": "stop_sequences",
        "reasoning_effort": "thinking",
        "response_format": "output_config.format",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "user": "metadata.user_id",
    }

    def request(self, call: Call) -> Call:
        body = orjson.dumps(request_to_chat(read_messages(call.body)))
        # What a client says of its format in headers is nothing to a model of another.
        return replace(call, body=body, format=self.target, include_usage=False, dialect=PLAIN)

    def answer(self, call: Call, answer: Answer) -> Answer:
        del call
        return replace(answer, body=orjson.dumps(answer_to_messages(_object(answer.body), answer.ending)))

    def stream(self, call: Call) -> StreamToMessages:
        del call
        return StreamToMessages()


class ChatByMessages:
    """A client of OpenAI's format, a model of Anthropic's."""

    source, target = Format.CHAT_COMPLETIONS, Format.MESSAGES
    names: Mapping[str, str] = {  # a table
        "stop_sequences": "stop",
        "output_config": "response_format",
        "thinking": "reasoning_effort",
        "metadata": "user",
    }

    def __init__(self, default_output_tokens: int, clock: Callable[[], float]) -> None:
        """`default_output_tokens`: may be written where neither the client nor the catalogue says a bound."""
        self._most_tokens = default_output_tokens
        self._clock = clock

    def request(self, call: Call) -> Call:
        most_tokens = call.max_output_tokens or self._most_tokens
        body = orjson.dumps(request_to_messages(read_chat(call.body), most_tokens))
        return replace(call, body=body, format=self.target, dialect=PLAIN)

    def answer(self, call: Call, answer: Answer) -> Answer:
        del call
        told = answer_to_chat(_object(answer.body), answer.ending, int(self._clock()))
        return replace(answer, body=orjson.dumps(told))

    def stream(self, call: Call) -> StreamToChat:
        return StreamToChat(int(self._clock()), include_usage=call.include_usage)


def _object(body: bytes) -> dict[str, Any]:
    document = read_answer(body)
    if not isinstance(document, dict):
        raise ProviderBadAnswer
    return document
