"""What a document asks of whoever answers it, where a model has deployments that differ in what they can do."""

from typing import Any

import orjson

from llm_service.domain.models import Model
from llm_service.policy.routing import Needs
from llm_service.policy.tokens import estimate_tokens

IMAGES = (b'"image_url"', b'"input_image"', b'"image"')
"""Types of parts, in the three formats; as a word of a text they are escaped otherwise."""


def chooses(model: Model) -> bool:
    """Whether it matters what a call needs: else its document is not read for that."""
    return any(one.capabilities or one.context_length for one in model.deployments)


def needs_of(body: bytes) -> Needs:
    """What of the capabilities a document uses. An unreadable one needs nothing: it is refused elsewhere."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Needs()
    if not isinstance(document, dict):
        return Needs()
    found = {name for name, asked in _asked(document).items() if asked}
    if any(word in body for word in IMAGES):
        found.add("vision")
    return Needs(frozenset(found), estimate_tokens(len(body)))


def _asked(document: dict[str, Any]) -> dict[str, bool]:
    wanted = document.get("response_format")
    for key in ("text", "output_config"):
        told = document.get(key)
        wanted = wanted or (told.get("format") if isinstance(told, dict) else None)
    return {
        "tools": bool(document.get("tools")),
        "logprobs": bool(document.get("logprobs")),
        "json_schema": isinstance(wanted, dict) and wanted.get("type") == "json_schema",
    }
