"""OpenAI's chat completions."""

from typing import Any

from aisp.llm.v1 import llm_service_pb2 as pb

from gateway.routes import raw
from gateway.routes.faces.face import MAX_MODEL_CHARACTERS, Asked, Used, cut_short


class ChatCompletionsFace:
    """POST /v1/chat/completions."""

    path = "/v1/chat/completions"
    format: pb.Format = pb.FORMAT_CHAT_COMPLETIONS
    deciding: tuple[str, ...] = ("model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n")
    closing = b"data: [DONE]\n\n"

    def read(self, document: dict[str, Any]) -> Asked:
        model = raw.text_key(document, "model", MAX_MODEL_CHARACTERS)
        if not isinstance(document.get("messages"), list) or not document["messages"]:
            raise raw.wrong("messages", "must be a list with at least one message")
        options = document.get("stream_options")
        return Asked(
            model,
            stream=raw.flag_key(document, "stream"),
            output_bound=raw.bound_key(document, "max_completion_tokens") or raw.bound_key(document, "max_tokens"),
            choices=raw.count_key(document, "n") or 1,
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        )

    def at_its_limit(self, first: bytes, last: bytes, asked: Asked, used: Used) -> bytes:
        """`length`, as for any other bound."""
        choices = [{"index": number, "delta": {}, "finish_reason": "length"} for number in range(asked.choices)]
        return cut_short(first, last, choices, used, told=asked.include_usage)
