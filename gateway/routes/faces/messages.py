"""Anthropic's messages."""

from typing import Any

from aisp.llm.v1 import llm_service_pb2 as pb

from gateway.routes import raw
from gateway.routes.faces.face import Asked, Used, documents_of
from gateway.sse import event

MAX_MODEL_CHARACTERS = 200
DECIDING = ("model", "stream", "max_tokens")


class MessagesFace:
    """POST /v1/messages."""

    path = "/v1/messages"
    format: pb.Format = pb.FORMAT_MESSAGES
    deciding: tuple[str, ...] = DECIDING
    closing = b""

    def read(self, document: dict[str, Any]) -> Asked:
        model = raw.text_key(document, "model", MAX_MODEL_CHARACTERS)
        if not isinstance(document.get("messages"), list) or not document["messages"]:
            raise raw.wrong("messages", "must be a list with at least one message")
        # 0: nothing is to be written, only the provider's cache warmed.
        bound = raw.count_key(document, "max_tokens", least=0)
        if bound is None:
            raise raw.wrong("max_tokens", "must be given")
        return Asked(model, stream=raw.flag_key(document, "stream"), output_bound=bound)

    def at_its_limit(self, first: bytes, last: bytes, asked: Asked, used: Used) -> bytes:
        """`max_tokens`, as for any other bound; a block that is open is closed."""
        del first, asked
        blocks = [told for told in documents_of(last) if str(told.get("type", "")).startswith("content_block_")]
        ending = [] if not blocks or blocks[-1]["type"] == "content_block_stop" else [_stop_of(blocks[-1])]
        delta = {"stop_reason": "max_tokens", "stop_sequence": None}
        ending += [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": used.output_tokens}}]
        ending.append({"type": "message_stop"})
        return b"".join(event(told["type"], told) for told in ending)


def _stop_of(block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": block.get("index", 0)}
