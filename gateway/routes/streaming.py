"""A model's stream on its way to the client: each part is written as it comes, without a task's step.

It counts what passes, for renewals and for a cut; it ends where a limit binds, or where enough was made for a client
who is gone.
"""

from collections.abc import Callable, Sequence
from typing import Any, overload

import structlog
from aisp.llm.v1 import llm_service_pb2 as pb

from chassis.errors import PlatformError
from chassis.flow import Enough, Hold, pour
from gateway.admission import Call, Work
from gateway.errors import render_event
from gateway.limits.leases import Line
from gateway.pace import Pace
from gateway.routes.faces.face import Asked, Face, Used, documents_of
from gateway.sse import Departure

log = structlog.get_logger()

BYTES_OF_AN_EVENT = 160
"""Of a stream that was cut off, each event stands for a token."""


class SoFar(Sequence[Line]):
    """What a stream has used, as far as is known before the provider has counted. Its lines are made when they are
    asked for: for a renewal or a cut, and not for each chunk.
    """

    def __init__(self, started: pb.Started, work: Work) -> None:
        self.relayed = 0
        """Bytes."""
        self._started = started
        self._work = work

    @property
    def used(self) -> Used:
        """The same, as tokens."""
        return Used(self._work.tokens, self.relayed // BYTES_OF_AN_EVENT)

    def __len__(self) -> int:
        return 2

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        served, attempt = self._started.served_by, self._started.attempts or 1
        model = served.model or self._work.model
        amounts = zip(Used._fields, self.used, strict=True)
        return tuple(
            [Line("llm", model, served.provider, unit, amount, attempt, estimated=True) for unit, amount in amounts]
        )[index]


class EventStream:
    """One stream, after who answers is known. `pace`: where its size is not known when it begins."""

    def __init__(
        self, face: Face, call: Call, so_far: SoFar, departure: Departure, pace: Pace | None, asked: Asked
    ) -> None:
        self._face = face
        self._call = call
        self._so_far = so_far
        self._departure = departure
        self._pace = pace
        self._asked = asked
        self._first = self._last = b""
        self._write: Callable[[bytes], Hold]

    async def relay(self, parts: Any, write: Callable[[bytes], Hold]) -> None:
        """Writes what comes, and how it ended: an error in the midst of it is an event."""
        self._write = write
        try:
            await pour(parts, self._take)
        except Enough:
            self._call.partial = True
        except PlatformError as error:
            self._call.partial = True
            log.warning("a stream failed", reason=error.reason)
            number = next((told.get("sequence_number", -1) for told in reversed(documents_of(self._last))), -1) + 1
            write(render_event(error, self._face.path, "", number))
            return
        if self._face.closing:
            write(self._face.closing)

    def _take(self, part: pb.StreamCompleteResponse) -> Hold:
        data = part.data
        if not data:
            self._call.use(part.completion.usage)
            return None
        if not self._last:
            self._first = data
            # Until the provider has counted, this is what is known: for renewals, and for a cut.
            self._call.lease.lines = self._call.lines = self._so_far
        self._last = data
        self._so_far.relayed += len(data)
        hold = self._write(data)
        if self._pace is not None and self._pace.exhausted():
            self._write(self._face.at_its_limit(self._first, data, self._asked, self._so_far.used))
            raise Enough
        if self._departure.exhausted(len(data)):
            raise Enough
        return hold
