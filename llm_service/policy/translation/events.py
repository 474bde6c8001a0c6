"""Server-sent events as documents, and back."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from llm_service.domain.errors import ProviderBadAnswer
from llm_service.policy.answers import read_answer


def documents_of(events: bytes) -> Iterator[dict[str, Any]]:
    """The documents of whole events; comments have none. ProviderBadAnswer."""
    for line in events.split(b"\n"):
        if line.startswith(b"data:"):
            try:
                document = read_answer(line[5:])
            except ValueError as error:
                raise ProviderBadAnswer from error
            if isinstance(document, dict):
                yield document


def named(documents: Iterable[dict[str, Any]]) -> bytes:
    """Events as Anthropic's: named by the type of their document."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (item["type"].encode(), orjson.dumps(item)) for item in documents)


def unnamed(documents: Iterable[dict[str, Any]]) -> bytes:
    """Events as OpenAI's."""
    return b"".join(b"data: %b\n\n" % orjson.dumps(item) for item in documents)
