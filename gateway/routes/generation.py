"""Language models, raw ASGI: the client's document crosses as it came, whole or streamed. One route for each format."""

from contextlib import aclosing, nullcontext
from functools import lru_cache, partial
from typing import Any
from urllib.parse import quote

import orjson
import structlog
from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2 import RespondRequest, StreamRespondRequest

from chassis.context import RequestContext
from chassis.document import read_object
from chassis.errors import PlatformError
from chassis.tokens import BYTES_OF_A_TOKEN, body_tokens
from gateway.admission import Begin, Gate, Work, ahead, bare_context
from gateway.azure import deployed
from gateway.clients import Clients
from gateway.edge import Receive, Scope, Send
from gateway.errors import Header
from gateway.idempotency import fingerprint, idempotency_key
from gateway.routes import estimates, raw
from gateway.routes.caching import cache_headers, cache_wish
from gateway.routes.faces.chat import ChatCompletionsFace
from gateway.routes.faces.completions import CompletionsFace
from gateway.routes.faces.face import Asked, Face
from gateway.routes.faces.messages import MessagesFace
from gateway.routes.faces.responses import ResponsesFace
from gateway.routes.retirement import retirement_headers
from gateway.routes.streaming import BYTES_OF_AN_EVENT, EventStream, SoFar
from gateway.settings import GatewaySection
from gateway.sse import Departure, Heartbeats, until_disconnect, written

log = structlog.get_logger()

FACES: tuple[Face, ...] = (ChatCompletionsFace(), CompletionsFace(), ResponsesFace(), MessagesFace())
PATHS = tuple(face.path for face in FACES)
VERSION, FEATURES = b"anthropic-version", b"anthropic-beta"
MAX_VERSION_CHARACTERS = 32
MAX_FEATURES, MAX_FEATURE_CHARACTERS = 32, 128
CHOICES = ("n", "best_of")
"""Keys by which one request asks for several answers."""
NAME_CHARACTERS = "/:@+,.-_~"


class GenerationRoute:
    """The hot route of one format."""

    def __init__(self, face: Face, gate: Gate, clients: Clients, settings: GatewaySection) -> None:
        self._face = face
        self._gate = gate
        self._clients = clients
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        state["caller"].require("inference")
        key = idempotency_key(scope["headers"])
        body = await raw.read_body(scope, receive, self._settings.max_body_bytes)
        body, document = deployed(state, body, read_object(body, self._face.deciding))
        asked = self._face.read(document)
        if asked.choices > 1:
            self._check_choices(document)
        tokens = body_tokens(body, document)
        if asked.previous:
            tokens += await stored_tokens(self._clients, bare_context(state), asked.previous)
        work = estimates.generation(asked, tokens, self._settings.default_output_tokens)
        envelope = pb.Envelope(
            model=asked.model, format=self._face.format, body=body, include_usage=asked.include_usage
        )
        envelope.format_version, features = dialect(scope)
        envelope.format_features.extend(features)
        if caching := cache_wish(scope, state["caller"].answer_cache_seconds):
            envelope.caching.CopyFrom(caching)
        said = ",".join((envelope.format_version, *envelope.format_features)).encode()
        marks = (key, fingerprint("POST", self._face.path, body, said)) if key else ("", "")
        serve = partial(self._stream if asked.stream else self._complete, asked)
        departure = state["departure"] = self._departure(state["caller"].plan, stream=asked.stream)
        await until_disconnect(scope, receive, serve(scope, envelope, work, marks, send), departure)

    def _check_choices(self, document: dict[str, Any]) -> None:
        most = self._settings.max_choices
        for key in CHOICES:
            if (raw.count_key(document, key) or 1) > most:
                raise raw.wrong(key, f"must be at most {most}")

    def _departure(self, plan: str, *, stream: bool) -> Departure:
        settings = self._settings
        if not stream or plan not in settings.drained_plans:
            return Departure()
        return Departure(settings.drained_seconds, settings.drained_tokens * BYTES_OF_AN_EVENT)

    async def _complete(
        self, asked: Asked, scope: Scope, envelope: pb.Envelope, work: Work, marks: tuple[str, str], send: Send
    ) -> None:
        request, complete, begin = self._whole(asked, envelope)
        async with self._gate.admitted(scope["state"], "", work, marks, begin) as call:
            response = await complete(request, **call.options)
            call.use(response.completion.usage)
        await raw.answer(scope, send, response.body, _told(response.completion))

    async def _stream(
        self, asked: Asked, scope: Scope, envelope: pb.Envelope, work: Work, marks: tuple[str, str], send: Send
    ) -> None:
        departure: Departure = scope["state"]["departure"]
        request, complete, begin = self._streamed(asked, envelope)
        async with self._gate.admitted(scope["state"], "", work, marks, begin) as call:
            async with aclosing(complete(request, **call.options)) as parts:
                # What fails before the first part is an ordinary error, with its status.
                first = await anext(parts)
                call.began(first)
                started = first.started
                await raw.begin_stream(send, _told(started))
                # What the client bounded was reserved in full; only what it did not can come to a limit on the way.
                bounded, seconds = work.output_bounded, self._settings.checkpoint_seconds
                async with nullcontext() if bounded else self._gate.pace(call, seconds) as pace:
                    stream = EventStream(self._face, call, SoFar(started, work), departure, pace, asked)
                    async with written(scope, send) as write:
                        with Heartbeats(write, self._settings.heartbeat_seconds) as beating:
                            await stream.relay(parts, beating.write)
                # What nobody read was used all the same.
                call.partial = call.partial or departure.gone
            await send(raw.part(b"", more=False))

    def _whole(self, asked: Asked, envelope: pb.Envelope) -> tuple[Any, Any, Begin | None]:
        """The request, who answers it, and how that is begun."""
        if asked.searches:
            return RespondRequest(envelope=envelope), self._clients.rag.Respond, None
        request, complete = pb.CompleteRequest(envelope=envelope), self._clients.llm.Complete
        return request, complete, ahead(complete, request)

    def _streamed(self, asked: Asked, envelope: pb.Envelope) -> tuple[Any, Any, Begin | None]:
        """The same of a stream, whose parts are alike."""
        if asked.searches:
            return StreamRespondRequest(envelope=envelope), self._clients.rag.StreamRespond, None
        request, complete = pb.StreamCompleteRequest(envelope=envelope), self._clients.llm.StreamComplete
        return request, complete, ahead(complete, request)


async def stored_tokens(clients: Clients, context: RequestContext, response_id: str) -> int:
    """What a stored conversation is read as: its last turn's input had all before it. If it is not there: 0."""
    try:
        found = await clients.llm.GetResponse(pb.GetResponseRequest(response_id=response_id), context=context)
    except PlatformError:
        # Whoever goes on with it says so in the words of its format.
        return 0
    usage = orjson.loads(found.body).get("usage") or {}
    return int(usage.get("input_tokens", 0) + usage.get("output_tokens", 0)) or len(found.body) // BYTES_OF_A_TOKEN


def dialect(scope: Scope) -> tuple[str, list[str]]:
    """The version of the format and its trial features, as the client's headers say. BadBody beyond their bounds."""
    version, *_ = raw.listed_header(scope, VERSION, 1, MAX_VERSION_CHARACTERS) or ("",)
    return version, raw.listed_header(scope, FEATURES, MAX_FEATURES, MAX_FEATURE_CHARACTERS)


def routes(gate: Gate, clients: Clients, settings: GatewaySection) -> dict[str, GenerationRoute]:
    """All of them, by path."""
    return {face.path: GenerationRoute(face, gate, clients, settings) for face in FACES}


def _told(answered: Any) -> list[Header]:
    served = answered.served_by
    headers = [*_who(served.provider, served.upstream_model), (b"x-aisp-attempts", b"%d" % answered.attempts)]
    if served.deprecation_time_seconds:
        headers += retirement_headers(served)
    return headers + cache_headers(answered)


@lru_cache(1000)
def _who(provider: str, model: str) -> tuple[Header, Header]:
    # A name may be the client's own, after a provider's prefix: in a header it is spelt so that it stays one line.
    return (b"x-aisp-provider", provider.encode()), (b"x-aisp-model", quote(model, safe=NAME_CHARACTERS).encode())
