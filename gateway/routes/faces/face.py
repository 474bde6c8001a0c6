"""What the route of generation must know of a format."""

from dataclasses import dataclass
from typing import Any, Protocol

from aisp.llm.v1 import llm_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a client's document decides."""

    model: str
    stream: bool
    output_bound: int | None
    """Tokens that may be written for one choice, where the client said so."""
    choices: int = 1
    include_usage: bool = True


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

    def at_its_limit(self, last: bytes, choices: int) -> bytes:
        """The events that end a stream whose tenant has no tokens or money left; `last` is what was sent before."""
