"""A stream whose words are held back until they are judged.

Texts of a channel (a choice's words, a tool's arguments) are gathered; what may go out goes in an event like those that
brought it. Whatever else an event says comes after the words before it.
"""

from dataclasses import replace
from typing import Any

import orjson

from llm_service.domain.calls import Call, Ending, Tokens
from llm_service.domain.errors import GuardrailUnavailable, ProviderBadAnswer
from llm_service.domain.guardrails import Passage
from llm_service.policy.texts.slots import Texts
from llm_service.policy.tokens import estimate_tokens
from llm_service.service.screens import Refused, Screen

HELD_BACK = "content_filter"


class _Channel:
    """The words of one channel that are held back, and the last event that brought some."""

    def __init__(self) -> None:
        self.text = ""
        self.out = 0
        self.head = b""
        self.carrier = b""


class HeldStream:
    """Judges one stream."""

    def __init__(self, texts: Texts, screen: Screen, passage: Passage, window: int) -> None:
        self.refused = False
        self._texts = texts
        self._screen = screen
        self._passage = passage
        self._window = window
        self._channels: dict[str, _Channel] = {}
        self._last: dict[str, Any] = {}
        self._characters = 0

    async def take(self, events: bytes) -> bytes:
        """What may go out now that these events came."""
        out: list[bytes] = []
        for event in events.split(b"\n\n"):
            if not event:
                continue
            try:
                out.append(await self._take(event))
            except (Refused, GuardrailUnavailable):
                return self._refuse(out)
        return b"".join(out)

    async def finish(self) -> bytes:
        """What is left when nothing follows."""
        if self.refused:
            return b""
        try:
            return await self._flush()
        except (Refused, GuardrailUnavailable):
            return self._refuse([])

    def ending(self, call: Call, told: Ending | None) -> Ending:
        """How the stream ended; `told`: by the provider, unless it was left before."""
        if told is not None:
            return replace(told, finish_reason=HELD_BACK) if self.refused else told
        # The provider was left in the middle: what it read and wrote so far is estimated.
        output = estimate_tokens(self._characters)
        return Ending(Tokens(input=estimate_tokens(len(call.body)), output=output), HELD_BACK)

    async def _take(self, event: bytes) -> bytes:
        head, data = _parts(event)
        if not data.startswith(b"{"):
            return event + b"\n\n"
        document = _read(data)
        # What is refused before it was still of the event before, and this one does not go out.
        before = await self._flush() if self._texts.closes(document) else b""
        self._last, bare = document, self._texts.bare(document)
        brought = [*self._texts.streamed(document)]
        for name, slot in brought:
            channel = self._channels.setdefault(name, _Channel())
            channel.text += slot.text
            channel.head, channel.carrier = head, data
            self._characters += len(slot.text)
        if bare and brought:
            # The event goes with its words, when they go.
            full = [name for name, _ in brought if len(self._channels[name].text) >= 2 * self._window]
            return before + b"".join([await self._release(name) for name in full])
        for _, slot in brought:
            slot.put("")
        await self._screen.slots(self._texts.retold(document), self._passage)
        return before + _event(head, document)

    async def _flush(self) -> bytes:
        out = [await self._release(name, final=True) for name in list(self._channels)]
        return b"".join(out)

    async def _release(self, name: str, *, final: bool = False) -> bytes:
        channel = self._channels[name]
        if not channel.text:
            return b""
        passage = replace(self._passage, text=channel.text, before=channel.out, final=final)
        released, channel.text = await self._screen.release(passage, self._window)
        channel.out += len(released)
        if not released:
            return b""
        document = _read(channel.carrier)
        self._texts.strip(document)
        for other, slot in [*self._texts.streamed(document)]:
            slot.put(released if other == name else "")
        return _event(channel.head, document)

    def _refuse(self, out: list[bytes]) -> bytes:
        self.refused = True
        return b"".join([*out, self._texts.refusal(self._last)])


def _parts(event: bytes) -> tuple[bytes, bytes]:
    """The lines before the data, and the data."""
    lines = event.split(b"\n")
    data = b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
    head = b"".join(line + b"\n" for line in lines if not line.startswith(b"data:"))
    return head, data


def _read(data: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ProviderBadAnswer from error
    if not isinstance(found, dict):
        raise ProviderBadAnswer
    return found


def _event(head: bytes, document: dict[str, Any]) -> bytes:
    return head + b"data: " + orjson.dumps(document) + b"\n\n"
