"""OpenAI's completions, the older form."""

from typing import Any

from aisp.llm.v1 import llm_service_pb2 as pb

from gateway.routes import raw
from gateway.routes.faces.face import MAX_MODEL_CHARACTERS, Asked, Used, cut_short


class CompletionsFace:
    """POST /v1/completions."""

    path = "/v1/completions"
    format: pb.Format = pb.FORMAT_COMPLETIONS
    deciding: tuple[str, ...] = ("model", "stream", "stream_options", "max_tokens", "n", "best_of", "prompt")
    closing = b"data: [DONE]\n\n"

    def read(self, document: dict[str, Any]) -> Asked:
        model = raw.text_key(document, "model", MAX_MODEL_CHARACTERS)
        prompt = document.get("prompt")
        if not isinstance(prompt, str | list) or prompt == []:
            raise raw.wrong("prompt", "must be a text, token ids, or a list of either")
        options = document.get("stream_options")
        written = max(raw.count_key(document, "n") or 1, raw.count_key(document, "best_of") or 1)
        return Asked(
            model,
            stream=raw.flag_key(document, "stream"),
            output_bound=raw.bound_key(document, "max_tokens"),
            choices=written * _prompts(prompt),
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        )

    def at_its_limit(self, first: bytes, last: bytes, asked: Asked, used: Used) -> bytes:
        """`length`, as for any other bound."""
        choices = [
            {"index": number, "text": "", "logprobs": None, "finish_reason": "length"}
            for number in range(asked.choices)
        ]
        return cut_short(first, last, choices, used, told=asked.include_usage)


def _prompts(prompt: str | list[Any]) -> int:
    """A list of token ids is one prompt."""
    return len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
