"""What the route of generation must know of a format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson
from aisp.llm.v1 import llm_service_pb2 as pb

MAX_MODEL_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a client's document decides."""

    model: str
    stream: bool
    output_bound: int | None
    """Tokens that may be written for one choice, where the client said so."""
    choices: int = 1
    include_usage: bool = True
    previous: str = ""
    """The stored response that it goes on with: the model reads that, too."""
    searches: int = 0
    """Passages of files that the model is to be shown: then rag_service answers, which finds them."""


class Used(NamedTuple):
    """What a stream that is cut has used, as far as is known: estimates."""

    input_tokens: int
    output_tokens: int


class Face(Protocol):
    """A public format."""

    path: str
    format: pb.Format
    deciding: tuple[str, ...]
    """Keys that decide: twice in one document, we and the provider might read different ones."""
    closing: bytes
    """What comes after the last event of a stream that ended well."""

    def read(self, document: dict[str, Any]) -> Asked:
        """BadBody."""

    def at_its_limit(self, first: bytes, last: bytes, asked: Asked, used: Used) -> bytes:
        """The events that end a stream whose tenant has no tokens or money left, given the first and the last sent."""


def cut_short(first: bytes, last: bytes, choices: Sequence[Mapping[str, Any]], used: Used, *, told: bool) -> bytes:
    """OpenAI's chunks that end a stream: each choice with its reason; and what was used, if the client asked for it."""
    chunk = (documents_of(last) or documents_of(first) or [{}])[-1]
    ending = [chunk | {"choices": choices}]
    if told:
        tokens = {"prompt_tokens": used.input_tokens, "completion_tokens": used.output_tokens}
        ending.append(chunk | {"choices": [], "usage": tokens | {"total_tokens": sum(used)}})
    return b"".join(b"data: " + orjson.dumps(part) + b"\n\n" for part in ending)


def documents_of(events: bytes) -> list[dict[str, Any]]:
    """The documents of events; those that are no objects are left out."""
    lines = [line for line in events.splitlines() if line.startswith(b"data: {")]
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines]
