"""Logs, metrics and traces of a process: one `configure()`, and the few metrics that every process has.

A log line is one JSON object with the request id of the call it belongs to. Labels of metrics come from closed sets:
never a tenant, a key, a request id or a model name as a client wrote it.
"""

import asyncio
import atexit
import logging
import sys
import time
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self, TextIO

import orjson
import structlog
from opentelemetry import trace
from prometheus_client import Counter, Histogram

from chassis import context
from chassis.settings import ServiceSettings

CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

CALLS = Counter("aisp_rpc_server_calls_total", "Calls that were served", ["method", "code"])
CALL_SECONDS = Histogram("aisp_rpc_server_call_seconds", "How long calls took", ["method"], buckets=CALL_BUCKETS)

# A metric looks for the series of some labels under a lock, for longer than it takes to count.
calls = cache(CALLS.labels)
call_seconds = cache(CALL_SECONDS.labels)

LEVELS = {"warn": "warning", "exception": "error"}
"""Methods of a logger that are no levels."""

tracer = trace.get_tracer("aisp")

_more: ContextVar[dict[str, object] | None] = ContextVar("aisp_call_line", default=None)


def line_of_call() -> dict[str, object]:
    """Begins what the line of the call that is being served tells on top."""
    more: dict[str, object] = {}
    _more.set(more)
    return more


def tell(**fields: object) -> None:
    """Adds to the line of the call that is being served, instead of one more line; nothing where none is."""
    more = _more.get()
    if more is not None:
        more.update(fields)


def configure(service: str, settings: ServiceSettings) -> None:
    """Sets up logging on standard output, and traces if an OTLP endpoint is set. Call once, at start."""
    level = logging.DEBUG if settings.debug else getattr(logging, settings.log.level.upper())
    renderer: structlog.typing.Processor = _render
    if settings.log.format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    shared: list[structlog.typing.Processor] = [_Line(service)]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Writer(sys.stdout).shared,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer))
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    if settings.telemetry.otlp_endpoint:
        _configure_traces(service, settings)


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """One JSON object; what JSON has no word for is told as Python would."""
    return orjson.dumps(dict(event), default=repr, option=orjson.OPT_NON_STR_KEYS).decode(errors="replace")


class _Writer:
    """Where the lines of all loggers go, in order: those of one turn of the event loop together, warnings and worse at
    once, with what waits. Threads write here, too: what waits is taken out line by line, so that none is lost.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: deque[str] = deque()
        atexit.register(self._flush)

    def shared(self, *_: object) -> Self:
        """The same for every logger."""
        return self

    def info(self, line: str) -> None:
        self._waiting.append(line)
        if len(self._waiting) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self._flush)
        except RuntimeError:
            self._flush()

    debug = info

    def warning(self, line: str) -> None:
        self._waiting.append(line)
        self._flush()

    error = critical = exception = warning

    def _flush(self) -> None:
        lines: list[str] = []
        with suppress(IndexError):
            while True:
                lines.append(self._waiting.popleft())
        if lines:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()


class _Line:
    """What each line has: level, time, the service's name, the request being served, an error's traceback. One
    processor: every call writes a line, and structlog's own for each would cost more than writing it.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._second = (0, "")
        """The last one told, and how it is written."""

    def _now(self) -> str:
        seconds, rest = divmod(time.time_ns(), 1_000_000_000)
        second, text = self._second
        if second != seconds:
            text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = seconds, text
        return f"{text}.{rest // 1000:06d}Z"

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["level"] = LEVELS.get(method, method)
        event["ts"] = self._now()
        event["service"] = self._service
        calling = context.current_or_none()
        if calling is not None:
            event.setdefault("request_id", calling.request_id)
            if calling.tenant_id:
                event.setdefault("tenant_id", calling.tenant_id)
        return structlog.processors.format_exc_info(logger, method, event) if event.get("exc_info") else event


def _configure_traces(service: str, settings: ServiceSettings) -> None:
    # The exporter takes 200 ms and 20 MB to import: only where traces are wanted.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    provider = TracerProvider(
        resource=Resource.create({"service.name": service}),
        sampler=ParentBasedTraceIdRatio(settings.telemetry.sample_ratio),
    )
    exporter = OTLPSpanExporter(endpoint=settings.telemetry.otlp_endpoint, insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
