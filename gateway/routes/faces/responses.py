"""OpenAI's responses."""

from typing import Any

from aisp.llm.v1 import llm_service_pb2 as pb

from gateway.routes import raw
from gateway.routes.faces.face import MAX_MODEL_CHARACTERS, Asked, Used, documents_of
from gateway.sse import event

USUAL_RESULTS, MOST_RESULTS = 10, 50
"""Passages that file_search finds."""


class ResponsesFace:
    """POST /v1/responses."""

    path = "/v1/responses"
    format: pb.Format = pb.FORMAT_RESPONSES
    deciding: tuple[str, ...] = (
        "model", "stream", "input", "max_output_tokens", "tools", "store", "previous_response_id", "background",
    )  # fmt: skip
    closing = b""

    def read(self, document: dict[str, Any]) -> Asked:
        model = raw.text_key(document, "model", MAX_MODEL_CHARACTERS)
        given = document.get("input")
        if not isinstance(given, str | list) or given == []:
            raise raw.wrong("input", "must be a text or a list with at least one item")
        previous = document.get("previous_response_id")
        return Asked(
            model,
            previous=previous if isinstance(previous, str) else "",
            stream=raw.flag_key(document, "stream"),
            output_bound=raw.bound_key(document, "max_output_tokens"),
            searches=_searches(document),
        )

    def at_its_limit(self, first: bytes, last: bytes, asked: Asked, used: Used) -> bytes:
        """`response.incomplete`, as for any other bound. It was not stored."""
        del asked
        opening: dict[str, Any] = next((told["response"] for told in documents_of(first) if "response" in told), {})
        number = max((told.get("sequence_number", 0) for told in documents_of(last)), default=0) + 1
        cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "store": False}
        tokens = {
            "input_tokens": used.input_tokens, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": used.output_tokens, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(used),
        }  # fmt: skip
        name = "response.incomplete"
        return event(name, {"type": name, "sequence_number": number, "response": opening | cut | {"usage": tokens}})


def _searches(document: dict[str, Any]) -> int:
    """How many passages the tool file_search is to find; 0 without it."""
    tools, found = document.get("tools"), 0
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and tool.get("type") == "file_search":
            wanted = tool.get("max_num_results")
            found += wanted if type(wanted) is int and 0 < wanted <= MOST_RESULTS else USUAL_RESULTS
    return found
