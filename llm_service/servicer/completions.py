"""Completions on the wire."""

import time
from collections.abc import Callable
from typing import Any

from aisp.common.v1 import usage_pb2
from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceServicer
from prometheus_client import Histogram

from chassis import telemetry
from chassis.context import current
from chassis.errors import InvalidArgument
from chassis.flow import Hold, admission, pushing
from chassis.telemetry import CALL_BUCKETS
from llm_service.domain.calls import Caching, Call, Dialect, Ending, Format, Generator, Served
from llm_service.service.measures import ESTIMATED
from llm_service.servicer.wire import seconds_of

FIRST_EVENT = Histogram(
    "aisp_llm_first_event_seconds", "Time to a stream's first event", ["provider"], buckets=CALL_BUCKETS
)
CACHE, CACHE_MODEL = "cache", "response-cache"
"""Provider and model of what the cache of answers served, in the ledger and the price book."""
FORMATS = {
    pb.FORMAT_CHAT_COMPLETIONS: Format.CHAT_COMPLETIONS,
    pb.FORMAT_COMPLETIONS: Format.COMPLETIONS,
    pb.FORMAT_RESPONSES: Format.RESPONSES,
    pb.FORMAT_MESSAGES: Format.MESSAGES,
}


class CompletionsServicer(LlmServiceServicer):
    """Calls of models."""

    _generator: Generator

    async def Complete(self, request: pb.CompleteRequest, context: Any) -> pb.CompleteResponse:
        call = read_call(request.envelope, admission(context))
        answer, served = await self._generator.complete(call)
        _tell(call, served, answer.ending)
        return pb.CompleteResponse(body=answer.body, completion=_completion(served, answer.ending))

    async def StreamComplete(self, request: pb.StreamCompleteRequest, context: Any) -> None:
        call = read_call(request.envelope, admission(context))
        async with pushing(context) as push:
            told = _Told(push)
            ending = await self._generator.stream(call, told)
        _tell(call, told.served, ending)
        await context.write(pb.StreamCompleteResponse(completion=_completion(told.served, ending)))


class _Told:
    """Where a stream goes: into messages."""

    served: Served

    def __init__(self, push: Callable[[pb.StreamCompleteResponse], Hold]) -> None:
        self._push = push
        self._begun = time.perf_counter()

    def begin(self, served: Served) -> None:
        self.served = served
        FIRST_EVENT.labels(served.deployment.provider).observe(time.perf_counter() - self._begun)
        started = pb.Started(served_by=_served_by(served), attempts=served.attempts, age_seconds=served.age_seconds)
        self._push(pb.StreamCompleteResponse(started=started))

    def write(self, events: bytes) -> Hold:
        return self._push(pb.StreamCompleteResponse(data=events))


def read_call(envelope: pb.Envelope, admission: Hold = None) -> Call:
    """What was asked, and by whom. `admission`: what it waits for."""
    form = FORMATS.get(envelope.format)
    if form is None or not envelope.model:
        raise InvalidArgument("The envelope needs a model and a known format.")
    calling = current()
    return Call(
        envelope.model,
        envelope.body,
        form,
        envelope.include_usage,
        tenant_id=calling.tenant_id,
        request_id=calling.request_id,
        dialect=Dialect(envelope.format_version, tuple(envelope.format_features)),
        caching=_caching(envelope),
        admission=admission,
    )


def _caching(envelope: pb.Envelope) -> Caching | None:
    if not envelope.HasField("caching"):
        return None
    if envelope.caching.max_age_seconds < 1:
        raise InvalidArgument("caching.max_age_seconds must be 1 or more.")
    return Caching(envelope.caching.max_age_seconds, envelope.caching.refresh)


def _served_by(served: Served) -> pb.ServedBy:
    told = pb.ServedBy(provider=served.provider, upstream_model=served.deployment.upstream_model, model=served.model)
    if served.retirement is not None:
        told.deprecation_time_seconds = seconds_of(served.retirement.deprecated_at)
        told.shutdown_time_seconds = seconds_of(served.retirement.shutdown_at)
    return told


def _lines(served: Served, ending: Ending) -> list[usage_pb2.UsageLine]:
    if served.age_seconds is not None:
        # No provider was asked: what it costs is the platform's own price, whatever the model.
        hit = usage_pb2.UNIT_CACHE_HITS
        return [usage_pb2.UsageLine(service="llm", model=CACHE_MODEL, provider=CACHE, unit=hit, amount=1, attempt=1)]
    tokens = ending.tokens
    amounts = {
        usage_pb2.UNIT_INPUT_TOKENS: tokens.input - tokens.cached - tokens.cache_written,
        usage_pb2.UNIT_CACHED_INPUT_TOKENS: tokens.cached,
        usage_pb2.UNIT_CACHE_WRITE_TOKENS: tokens.cache_written,
        usage_pb2.UNIT_OUTPUT_TOKENS: tokens.output - tokens.reasoning,
        usage_pb2.UNIT_REASONING_TOKENS: tokens.reasoning,
        usage_pb2.UNIT_WEB_SEARCHES: tokens.searches,
    }
    return [
        usage_pb2.UsageLine(
            service="llm",
            model=served.model,
            provider=served.provider,
            unit=unit,
            amount=amount,
            attempt=served.attempts,
            estimated=ending.estimated,
        )
        for unit, amount in amounts.items()
        if amount
    ]


def _completion(served: Served, ending: Ending) -> pb.Completion:
    return pb.Completion(
        usage=usage_pb2.Usage(lines=_lines(served, ending)),
        finish_reason=ending.finish_reason,
        served_by=_served_by(served),
        attempts=served.attempts,
        age_seconds=served.age_seconds,
    )


def _tell(call: Call, served: Served, ending: Ending) -> None:
    telemetry.tell(
        model=call.model,
        provider=served.provider,
        deployment=served.deployment.id,
        attempts=served.attempts,
        cached=served.age_seconds is not None,
        input_tokens=ending.tokens.input,
        output_tokens=ending.tokens.output,
        finish_reason=ending.finish_reason,
    )
    if ending.estimated:
        telemetry.tell(usage="estimated")
        ESTIMATED.labels(served.deployment.provider).inc()
