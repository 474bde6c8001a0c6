"""How many tokens a model reads of a document, where nobody counts them: its texts, and what a format puts around them.

What templates add was read off recorded requests, by families of models; a family that is not known is taken for one
that adds little.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import orjson

from chassis.tokens import MEDIA_TOKENS, text_tokens

MEDIA = frozenset(("image", "image_url", "input_image", "document", "file", "input_file", "input_audio"))


@dataclass(frozen=True, slots=True)
class Template:
    """What a family of models reads beside the texts: tokens for each call and message, and of tools and schemas."""

    call: int = 4
    message: int = 4
    tools: int = 40
    """As soon as there are any."""
    tool_bytes: float = 4.5
    """Of their descriptions in JSON, that a token stands for."""
    schema: float = 0
    """Tokens for a byte of an answer's schema."""
    words: float = 1
    """Tokens of the family for one of o200k."""


TEMPLATES: tuple[tuple[str, Template], ...] = (
    ("*gpt-oss*", Template(call=60, tools=20, tool_bytes=5)),
    ("*gpt-*", Template(call=3, tools=6, tool_bytes=6.5, schema=0.16)),
    ("*llama-guard*", Template(call=152)),
    ("*llama*", Template(call=24, tools=80, tool_bytes=3.5)),
    ("*qwen*", Template(call=4, tools=72, tool_bytes=2.6)),
    # Anthropic says of its own: some 350 for tools, and a tokenizer that cuts finer. Not measured here.
    ("*claude*", Template(tools=346, schema=0.2, words=1.15)),
)
OTHER = Template()


def estimate_input(document: Mapping[str, Any], model: str) -> int:
    """Tokens that the model reads of a request in any of the public formats."""
    template = next((found for pattern, found in TEMPLATES if fnmatchcase(model.lower(), pattern)), OTHER)
    texts, media = 0, 0
    for key in ("system", "instructions", "messages", "input", "prompt"):
        for kind, text in _said(document.get(key)):
            texts += text_tokens(text) if kind == "text" else 0
            media += kind == "media"
    messages = document.get("messages")
    tokens = template.words * texts + media * MEDIA_TOKENS + template.call
    tokens += template.message * (len(messages) if isinstance(messages, list) else 1)
    if document.get("tools"):
        tokens += template.tools + len(orjson.dumps(document["tools"])) / template.tool_bytes
    for key in ("response_format", "output_config"):
        if isinstance(document.get(key), dict):
            tokens += template.schema * len(orjson.dumps(document[key]))
    return max(1, round(tokens))


def _said(value: Any) -> Iterator[tuple[str, str]]:
    """The texts in a part of a document, names and arguments of calls included, and each image or file."""
    if isinstance(value, str):
        yield "text", value
    elif isinstance(value, list):
        for item in value:
            yield from _said(item)
    elif isinstance(value, dict):
        if value.get("type") in MEDIA:
            yield "media", ""
            return
        for key in ("content", "text", "thinking", "name", "arguments", "function", "tool_calls"):
            if key in value:
                yield from _said(value[key])
        if isinstance(value.get("input"), dict):
            yield "text", orjson.dumps(value["input"]).decode()
