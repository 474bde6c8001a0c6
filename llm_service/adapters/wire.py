"""LanguageModel for every provider that speaks a public wire format over HTTP.

What differs from format to format stands in one `Wire` each; what differs from provider to provider is data
(`Upstream`). A provider that speaks several formats has a wire for each.
"""

from collections.abc import Mapping
from typing import Protocol

import orjson

from chassis.errors import PlatformError
from chassis.flow import Enough, Hold
from llm_service.adapters.http import ProviderHttp
from llm_service.domain.calls import Answer, Call, Ending, Format, Out
from llm_service.domain.errors import ProviderBadAnswer, Unsupported
from llm_service.domain.models import Deployment, Health
from llm_service.policy.sse import EventSplitter, EventTooLarge


class Relay(Protocol):
    """Looks into the events of one stream, and decides which bytes go on."""

    done: bool
    """Whether the provider said that nothing more comes."""
    splitter: EventSplitter
    passed: list[bytes]
    """What of the last chunk goes on, as far as it was looked into: all of it, unless something failed."""

    def take(self, chunk: bytes) -> bytes:
        """What of the chunk goes to the client: whole events, joined. A Provider* error."""

    def ending(self) -> Ending:
        """How the stream ended. ProviderBadAnswer if it broke off."""


class Wire(Protocol):
    """A wire format, as a provider speaks it."""

    path: str
    """Behind the provider's base address."""
    counting: str
    """Where the provider counts what a document would be read as; empty: nowhere."""

    def headers(self, call: Call) -> Mapping[str, str]:
        """What is said beside the document."""

    def document(self, deployment: Deployment, call: Call, *, stream: bool) -> bytes:
        """What is sent: the client's document, changed as little as can be. BadDocument, Unsupported."""

    def answer(self, call: Call, body: bytes) -> Answer:
        """What came. ProviderBadAnswer."""

    def relay(self, call: Call) -> Relay:
        """For one stream."""


class WireModel:
    """Speaks to one provider in each format that it understands."""

    def __init__(self, http: ProviderHttp, wires: Mapping[Format, Wire]) -> None:
        self._http = http
        self._wires = wires

    def speaks(self, form: Format) -> bool:
        return form in self._wires

    def health(self, deployment: Deployment) -> Health:
        return self._http.health(deployment)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        wire = self._wire(call.format)
        document, headers = wire.document(deployment, call, stream=False), wire.headers(call)
        await call.admitted()
        body = await self._http.post(deployment, wire.path, document, headers)
        return wire.answer(call, body)

    async def stream(self, deployment: Deployment, call: Call, out: Out) -> Ending:
        wire = self._wire(call.format)
        relay = wire.relay(call)
        relay.splitter.most = self._http.max_answer_bytes
        document, headers = wire.document(deployment, call, stream=True), wire.headers(call)
        await call.admitted()

        def take(chunk: bytes) -> Hold:
            try:
                forwarded = relay.take(chunk)
            except PlatformError:
                # What came in one piece with a failure came before it. As long as nothing was written, it is as if
                # nothing had come: another attempt takes over.
                if out.started and any(relay.passed):
                    out.write(b"".join(relay.passed))
                raise
            hold = out.write(forwarded) if forwarded else None
            if relay.done:
                raise Enough
            return hold

        try:
            await self._http.stream(deployment, wire.path, document, take, headers)
        except EventTooLarge as error:
            raise ProviderBadAnswer from error
        return relay.ending()

    def counts(self, form: Format) -> bool:
        return form in self._wires and bool(self._wires[form].counting)

    async def count(self, deployment: Deployment, call: Call) -> int | None:
        if not self.counts(call.format):
            return None
        wire = self._wires[call.format]
        document = wire.document(deployment, call, stream=False)
        body = await self._http.post(deployment, wire.counting, document, wire.headers(call))
        try:
            return int(orjson.loads(body)["input_tokens"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ProviderBadAnswer from error

    def _wire(self, form: Format) -> Wire:
        found = self._wires.get(form)
        if found is None:
            raise Unsupported(f"This model cannot be asked by {form.value}.", metadata={"param": "model"})
        return found
