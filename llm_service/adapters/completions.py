"""OpenAI's completions on the wire, the older form: a prompt and its continuation."""

from typing import Any

from llm_service.adapters.openai_wire import OpenAIWire
from llm_service.policy.documents import read_prompt
from llm_service.policy.local import prompt_for_local


class TextCompletions(OpenAIWire):
    """The format."""

    path = "/completions"
    least_logprobs = 1

    def read(self, body: bytes) -> dict[str, Any]:
        return read_prompt(body)

    def for_local(self, document: dict[str, Any]) -> dict[str, Any]:
        return prompt_for_local(document)

    def mend_local(self, document: dict[str, Any]) -> None:
        for choice in document["choices"]:
            if told := choice.get("logprobs"):
                choice["logprobs"] = _as_lists(told.get("content") or [])


def _as_lists(tokens: list[dict[str, Any]]) -> dict[str, Any]:
    """Probabilities as this format has them; llama.cpp tells them as chat completions do."""
    offsets, offset = [], 0
    for token in tokens:
        offsets.append(offset)
        offset += len(token["token"])
    return {
        "tokens": [token["token"] for token in tokens],
        "token_logprobs": [token["logprob"] for token in tokens],
        "top_logprobs": [
            {other["token"]: other["logprob"] for other in token.get("top_logprobs") or []} for token in tokens
        ],
        "text_offset": offsets,
    }
