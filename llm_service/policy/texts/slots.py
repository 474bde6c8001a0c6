"""Slots: places in a document that hold a text, and the port by which a format tells of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Slot:
    """A text in a document, which can be put back changed."""

    holder: Any
    key: str | int

    @property
    def text(self) -> str:
        """The text."""
        found: str = self.holder[self.key]
        return found

    def put(self, text: str) -> None:
        """Writes another text there."""
        self.holder[self.key] = text


class Texts(Protocol):
    """A format's texts."""

    def asked(self, document: dict[str, Any]) -> Iterator[Slot]:
        """Of a request: whatever a model reads as words."""

    def answered(self, document: dict[str, Any]) -> Iterator[Slot]:
        """Of a whole answer."""

    def streamed(self, document: dict[str, Any]) -> Iterator[tuple[str, Slot]]:
        """Of an event, each with its channel: texts of one channel are one text in pieces."""

    def retold(self, document: dict[str, Any]) -> Iterator[Slot]:
        """Of an event: texts that it tells as a whole, though they came in pieces before."""

    def bare(self, document: dict[str, Any]) -> bool:
        """Whether an event says nothing but its pieces of text."""

    def strip(self, document: dict[str, Any]) -> None:
        """Takes from an event whatever else it says, and what would tell its text a second time."""

    def closes(self, document: dict[str, Any]) -> bool:
        """Whether the texts that came before an event are whole when it comes."""

    def refuse(self, document: dict[str, Any]) -> None:
        """Turns a whole answer into one that was held back."""

    def refusal(self, last: dict[str, Any]) -> bytes:
        """The events that end a stream which is held back from here on; `last` is an event that came before."""


class InPieces:
    """What formats have in common that tell each text of a stream once."""

    def retold(self, document: dict[str, Any]) -> Iterator[Slot]:  # noqa: ARG002  # the port's
        """None."""
        return iter(())


def slot(holder: Any, key: str | int) -> Iterator[Slot]:
    """The slot, if there is a text that is not empty."""
    found = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(found, str) and found:
        yield Slot(holder, key)


def objects(found: Any) -> Iterable[dict[str, Any]]:
    """The objects of a list; nothing of anything else."""
    return (item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()


def content(holder: dict[str, Any], key: str) -> Iterator[Slot]:
    """A content that is a text, or a list of parts of which some have a text."""
    found = holder.get(key)
    if isinstance(found, str):
        yield from slot(holder, key)
    elif isinstance(found, list):
        for index, part in enumerate(found):
            if isinstance(part, str):
                yield from slot(found, index)
            elif isinstance(part, dict):
                yield from slot(part, "text")
                # Mistral's thoughts are parts of a part.
                yield from content(part, "thinking") if isinstance(part.get("thinking"), list) else ()


def unspell(document: dict[str, Any]) -> None:
    """Takes the probabilities of tokens away, which would tell a text that was changed once more."""
    document.pop("logprobs", None)
    for choice in objects(document.get("choices")):
        if choice.get("logprobs") is not None:
            choice["logprobs"] = None
    for item in objects(document.get("output")):
        for part in objects(item.get("content")):
            part.pop("logprobs", None)
