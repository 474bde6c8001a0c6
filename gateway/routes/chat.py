"""POST /v1/chat/completions, raw ASGI: the client's document crosses as it came, whole or streamed."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import orjson
import structlog
from aisp.llm.v1 import llm_service_pb2 as pb

from chassis.document import read_object
from chassis.errors import PlatformError
from gateway.admission import Call, Gate, Work, fingerprint, idempotency_key
from gateway.clients import Clients
from gateway.edge import Receive, Scope, Send
from gateway.errors import render_event
from gateway.limits.meter import Line
from gateway.routes import raw
from gateway.settings import GatewaySection
from gateway.sse import Heartbeats, until_disconnect

log = structlog.get_logger()

PATH = "/v1/chat/completions"
MAX_MODEL_CHARACTERS = 200
DECIDING = ("model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n")
BYTES_OF_A_TOKEN = 4
BYTES_OF_AN_EVENT = 160
"""Of a stream that was cut off, each event stands for a token."""
DONE = b"data: [DONE]\n\n"


class ChatRoute:
    """The hot route."""

    def __init__(self, gate: Gate, clients: Clients, settings: GatewaySection) -> None:
        self._gate = gate
        self._clients = clients
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        state["caller"].require("inference")
        key = idempotency_key(scope["headers"])
        body = await raw.read_body(scope, receive, self._settings.max_body_bytes)
        document = read_object(body, DECIDING)
        streamed = raw.flag_key(document, "stream")
        envelope, work = self._envelope(document, body)
        marks = (key, fingerprint("POST", PATH, body)) if key else ("", "")
        choices = raw.count_key(document, "n") or 1
        serve = partial(self._stream, choices) if streamed else self._complete
        await until_disconnect(scope, receive, serve(state, envelope, work, marks, send))

    async def _complete(
        self, state: Any, envelope: pb.Envelope, work: Work, marks: tuple[str, str], send: Send
    ) -> None:
        async with self._gate.admitted(state, "", work, marks) as call:
            response = await self._clients.llm.Complete(pb.CompleteRequest(envelope=envelope), **call.options)
            call.use(response.completion.usage)
        await raw.answer(send, response.body, _told(response.completion, call))

    async def _stream(
        self, choices: int, state: Any, envelope: pb.Envelope, work: Work, marks: tuple[str, str], send: Send
    ) -> None:
        async with self._gate.admitted(state, "", work, marks) as call:
            request = pb.StreamCompleteRequest(envelope=envelope)
            async with aclosing(self._clients.llm.StreamComplete(request, **call.options)) as parts:
                # What fails before the first part is an ordinary error, with its status.
                started = (await anext(parts)).started
                await raw.begin_stream(send, _told(started, call))

                async def forward(event: bytes) -> None:
                    await send(raw.part(event))

                async with Heartbeats(forward, self._settings.heartbeat_seconds) as stream:
                    async with aclosing(self._events(call, started, work, parts, choices)) as events:
                        async for event in events:
                            await stream.send(event)
            await send(raw.part(DONE, more=False))

    async def _events(
        self, call: Call, started: pb.Started, work: Work, parts: Any, choices: int
    ) -> AsyncGenerator[bytes, None]:
        relayed = 0
        # What the client bounded was reserved in full; only what it did not can come to a limit on the way.
        pace = None if work.output_bounded else self._gate.pace(call, self._settings.checkpoint_seconds)
        try:
            async for part in parts:
                if part.WhichOneof("event") == "data":
                    relayed += len(part.data)
                    # Until the provider has counted, this is what is known: for renewals, and for a cut.
                    call.lease.lines = call.lines = _so_far(started, work, relayed)
                    yield part.data
                    if pace is not None and await pace.exhausted():
                        call.partial = True
                        yield _at_its_limit(part.data, choices)
                        return
                else:
                    call.use(part.completion.usage)
        except PlatformError as error:
            call.partial = True
            log.warning("a stream failed", reason=error.reason)
            yield render_event(error, PATH, "")

    def _envelope(self, document: dict[str, Any], body: bytes) -> tuple[pb.Envelope, Work]:
        model = raw.text_key(document, "model", MAX_MODEL_CHARACTERS)
        if not isinstance(document.get("messages"), list) or not document["messages"]:
            raise raw.wrong("messages", "must be a list with at least one message")
        bound = raw.count_key(document, "max_completion_tokens") or raw.count_key(document, "max_tokens")
        options = document.get("stream_options")
        include_usage = isinstance(options, dict) and options.get("include_usage") is True
        work = Work(
            "llm",
            model=model,
            tokens=len(body) // BYTES_OF_A_TOKEN,
            output_tokens=(bound or self._settings.default_output_tokens) * (raw.count_key(document, "n") or 1),
            output_bounded=bound is not None,
        )
        envelope = pb.Envelope(model=model, format=pb.FORMAT_CHAT_COMPLETIONS, body=body, include_usage=include_usage)
        return envelope, work


def _so_far(started: pb.Started, work: Work, relayed: int) -> list[Line]:
    provider, attempt = started.served_by.provider, started.attempts or 1
    output = relayed // BYTES_OF_AN_EVENT
    return [
        Line("llm", work.model, provider, "input_tokens", work.tokens, attempt),
        Line("llm", work.model, provider, "output_tokens", output, attempt),
    ]


def _at_its_limit(last: bytes, choices: int) -> bytes:
    """The chunk that ends a stream whose tenant has no tokens or money left: `length`, as for any other bound."""
    lines = [line for line in last.splitlines() if line.startswith(b"data: {")]
    chunk: dict[str, Any] = orjson.loads(lines[-1].removeprefix(b"data: ")) if lines else {}
    chunk["choices"] = [{"index": number, "delta": {}, "finish_reason": "length"} for number in range(choices)]
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _told(answered: Any, call: Call) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"x-aisp-provider", answered.served_by.provider.encode()),
        (b"x-aisp-attempts", str(answered.attempts).encode()),
    ]
    if call.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    return headers
