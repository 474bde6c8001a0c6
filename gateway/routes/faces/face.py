"""What the route of generation must know of a format."""

from dataclasses import dataclass
from typing import Any, Protocol

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

    def at_its_limit(self, first: bytes, last: bytes, choices: int) -> bytes:
        """The events that end a stream whose tenant has no tokens or money left, given the first and the last sent."""


def documents_of(events: bytes) -> list[dict[str, Any]]:
    """The documents of events; those that are no objects are left out."""
    lines = [line for line in events.splitlines() if line.startswith(b"data: {")]
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines]
