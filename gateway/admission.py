"""From a caller to an admitted call: scope, lease, signed context, settlement. Every route goes through it."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aisp.common.v1 import usage_pb2

from chassis.context import RequestContext
from chassis.errors import IdempotencyInFlight, IdempotencyMismatch, PlatformError
from chassis.idempotency import REPLAYED_KEY
from chassis.relay.calls import Begun
from gateway.audit import Audited
from gateway.auth import MissingCredentials
from gateway.limits.exhausted import ExhaustedLimits
from gateway.limits.leases import Admission, Lease, Line, Preview
from gateway.limits.meter import Meanwhile, Meter
from gateway.limits.refusals import RateLimited, UnpricedModel
from gateway.pace import Pace
from gateway.tenant_models import TenantModels
from gateway.verdicts import Caller

log = structlog.get_logger()

UNITS = {
    usage_pb2.UNIT_INPUT_TOKENS: "input_tokens",
    usage_pb2.UNIT_CACHED_INPUT_TOKENS: "cached_input_tokens",
    usage_pb2.UNIT_OUTPUT_TOKENS: "output_tokens",
    usage_pb2.UNIT_CHARACTERS: "characters",
    usage_pb2.UNIT_AUDIO_MILLISECONDS: "audio_milliseconds",
    usage_pb2.UNIT_STORED_BYTES: "stored_bytes",
    usage_pb2.UNIT_CACHE_WRITE_TOKENS: "cache_write_tokens",
    usage_pb2.UNIT_REASONING_TOKENS: "reasoning_tokens",
    usage_pb2.UNIT_REQUESTS: "requests",
    usage_pb2.UNIT_CACHE_HITS: "cache_hits",
    usage_pb2.UNIT_WEB_SEARCHES: "web_searches",
}


SPEAKING = frozenset(("llm", "rag"))
"""Services whose work is done by language models, which have aliases and may be priced under another name."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a call is, for the meter. `kind`: ai, management or effect. Tokens are estimates."""

    service: str
    kind: str = "ai"
    model: str = ""
    tokens: int = 0
    output_tokens: int = 0
    output_bounded: bool = False
    characters: int = 0
    audio_milliseconds: int = 0
    storage_bytes: int = 0


MANAGEMENT = Work("", "management")
CACHE = "cache"
"""The provider of answers out of the cache."""
Begin = Callable[[RequestContext], Begun | None]
"""Begins the service's call under a context, before it is admitted; None where it cannot."""
TWINS = frozenset((IdempotencyInFlight.reason, IdempotencyMismatch.reason))


@dataclass(slots=True)
class Call:
    """An admitted call: pass `context` and `on_trailers` to the stub, and tell `use` what was used."""

    context: RequestContext
    lease: Lease
    replayed: bool = False
    partial: bool = False
    lines: Sequence[Line] = ()
    deed: Audited | None = None
    """Set on a route that the audit log hears of: what is told of it can be added."""
    hit_plan: str = ""
    """The caller's plan, where answers out of the cache have a price of their own for it."""
    begun: Begun | None = None
    """The call of the service, where it was begun while the meter was asked."""

    def use(self, usage: usage_pb2.Usage) -> None:
        """What the service says was used, in all."""
        self.lines = [
            Line(
                line.service,
                self._priced_as(line),
                line.provider,
                UNITS[line.unit],
                line.amount,
                line.attempt or 1,
                line.estimated,
            )
            for line in usage.lines
            if line.unit in UNITS
        ]
        self.lease.lines = self.lines

    def _priced_as(self, line: usage_pb2.UsageLine) -> str:
        """The model as the price book has it."""
        return f"{line.model}:{self.hit_plan}" if self.hit_plan and line.provider == CACHE else str(line.model)

    def on_trailers(self, trailers: Mapping[str, str | bytes]) -> None:
        """Sees whether the answer was replayed."""
        self.replayed = self.replayed or REPLAYED_KEY in trailers

    def began(self, first: Any) -> None:
        """Sees it in the first part of a stream, whose trailers come too late for its headers."""
        self.replayed = self.replayed or first.replayed

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments for a stub's method."""
        given: dict[str, Any] = {"context": self.context, "on_trailers": self.on_trailers}
        return given | {"begun": self.begun} if self.begun is not None else given


class Gate:
    """Admits calls."""

    def __init__(
        self,
        meter: Meter,
        exhausted: ExhaustedLimits,
        models: TenantModels,
        hit_plans: Collection[str] = (),
    ) -> None:
        """`hit_plans`: plans for which an answer out of the cache has a price of its own."""
        self._meter = meter
        self.models = models
        self._exhausted = exhausted
        self._hit_plans = frozenset(hit_plans)

    def pace(self, call: Call, seconds: float) -> Pace:
        """For work whose size is not known when it begins."""
        return Pace(self._meter, call.lease, seconds)

    def admitted(
        self,
        state: Any,
        scope: str,
        work: Work,
        idempotency: tuple[str, str] = ("", ""),
        begin: Begin | None = None,
    ) -> "Admitted":
        """The call, once its caller has the scope and the meter admits it; it is settled on leaving, however that is.

        `state`: the request's (caller, request_id, address). `idempotency`: key and fingerprint. `begin`: begins the
        service's call while the meter is asked, where that gains time.
        ScopeMissing, ModelNotAllowed, ModelNotFound, RateLimited, StoreUnavailable.
        """
        return Admitted(self, state, scope, work, idempotency, begin)

    async def reserve(self, state: Any, scope: str, work: Work, meanwhile: Meanwhile | None = None) -> Lease:
        """As above, without the end: the lease is the caller's to settle."""
        caller: Caller | None = state.get("caller")
        if caller is None:
            # A route outside of what the edge guards: it is refused, not served to nobody.
            raise MissingCredentials
        if scope:
            caller.require(scope)
        if caller.models and work.kind == "ai":
            # A search works by the collection's own model, and nobody names one.
            caller.require_model(work.model, chosen=work.service != "rag" or bool(work.output_tokens))
        if work.kind == "ai" and work.service != "llm" and (work.model or work.service != "rag"):
            # llm_service judges its own calls by itself.
            await self.models.check(bare_context(state), work.model, language=work.service == "rag")
        admission = _admission(caller, state["request_id"], work, self.models.priced(caller.tenant_id, work.model))
        try:
            try:
                return await self._meter.reserve(admission, meanwhile)
            except UnpricedModel:
                # An alias, or a model that is priced under another name: llm_service knows.
                return await self._meter.reserve(await self._priced(state, admission))
        except RateLimited as error:
            subjects = {"key": caller.key_id, "user": caller.user_id}
            self._exhausted.refused(caller.tenant_id, subjects, error.binding)
            raise

    def hit_plan(self, plan: str) -> str:
        """The plan, if an answer out of the cache has a price of its own for it; else empty."""
        return plan if plan in self._hit_plans else ""

    async def settle(self, call: Call, *, told: bool) -> None:
        """Ends a call. `told`: its lease then says what is left."""
        status = "replayed" if call.replayed else "partial" if call.partial else "settled"
        await self._meter.settle(call.lease, [] if call.replayed else call.lines, status, told=told)

    async def preview(self, state: Any, work: Work) -> Preview:
        """What admission would say of a call by the same caller; nothing is admitted or counted. UnpricedModel."""
        caller: Caller = state["caller"]
        admission = _admission(caller, state["request_id"], work, self.models.priced(caller.tenant_id, work.model))
        try:
            found = await self._meter.preview(admission)
        except UnpricedModel:
            return await self._meter.preview(await self._priced(state, admission))
        if not found.cost_nano_usd:
            with suppress(PlatformError):
                return await self._meter.preview(await self._priced(state, admission))
        return found

    async def _priced(self, state: Any, admission: Admission) -> Admission:
        """The same, under the name that the price book has. UnpricedModel where that is known; ModelNotFound."""
        if admission.service not in SPEAKING:
            raise UnpricedModel
        name = await self.models.priced_as(bare_context(state), admission.model)
        if name == (admission.priced_as or admission.model):
            raise UnpricedModel
        return admission._replace(priced_as=name)


class Admitted(AbstractAsyncContextManager[Call, None]):
    """A call from its admission to its settlement. A class, where a generator would do: every request passes here."""

    def __init__(
        self, gate: Gate, state: Any, scope: str, work: Work, idempotency: tuple[str, str], begin: Begin | None
    ) -> None:
        self._gate = gate
        self._state = state
        self._wanted = scope, work
        self._idempotency = idempotency
        # What is asked under a key may be under way, or done: none of it is begun before it is admitted.
        self._begin = None if idempotency[0] else begin
        self._ahead: tuple[RequestContext, Begun | None] | None = None

    async def __aenter__(self) -> Call:
        state = self._state
        try:
            lease = state["lease"] = await self._gate.reserve(state, *self._wanted, self._begin and self._meanwhile)
        except BaseException:
            self._leave()
            raise
        context, begun = self._ahead or (None, None)
        if context is None or context.lease_id != lease.id:
            self._leave()
            context, begun = self._context(lease.id), None
        elif begun is not None:
            begun.go()
        hit_plan = self._gate.hit_plan(state["caller"].plan)
        self._call = state["call"] = Call(context, lease, hit_plan=hit_plan, begun=begun)
        return self._call

    def _meanwhile(self, lease_id: str) -> None:
        assert self._begin is not None
        with suppress(PlatformError):
            # What cannot be begun now says why when it is made.
            context = self._context(lease_id)
            self._ahead = context, self._begin(context)

    def _context(self, lease_id: str) -> RequestContext:
        return _context(self._state["caller"], self._state, lease_id, self._idempotency)

    def _leave(self) -> None:
        if self._ahead is not None and self._ahead[1] is not None:
            self._ahead[1].leave()

    async def __aexit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        call = self._call
        self._leave()
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            call.partial = True
        elif isinstance(error, PlatformError) and error.reason in TWINS:
            # What another request under its Idempotency-Key is charged for.
            call.replayed = True
        # Whose answer has not begun is told what is left now; a stream's headers tell what was left when it began.
        await self._gate.settle(call, told=not self._state.get("answering"))


def ahead(method: Any, request: Any) -> Begin | None:
    """How a call is begun before it is admitted; None for a method over gRPC."""
    begin = getattr(method, "ahead", None)
    return partial(begin, request) if begin is not None else None


def _admission(caller: Caller, request_id: str, work: Work, priced_as: str) -> Admission:
    return Admission(
        tenant_id=caller.tenant_id,
        plan=caller.plan,
        tenant_version=caller.tenant_version,
        request_id=request_id,
        kind=work.kind,
        user_id=caller.user_id,
        key_id=caller.key_id,
        key_version=caller.key_version,
        key_limits=caller.key_limits,
        service=work.service,
        model=work.model,
        priced_as=priced_as,
        tokens=work.tokens,
        output_tokens=work.output_tokens,
        output_bounded=work.output_bounded,
        characters=work.characters,
        audio_milliseconds=work.audio_milliseconds,
        storage_bytes=work.storage_bytes,
    )


def bare_context(state: Any) -> RequestContext:
    """Of what must be known of a request before it is admitted."""
    return _context(state["caller"], state, "", ("", ""))


def _context(caller: Caller, state: Any, lease_id: str, idempotency: tuple[str, str]) -> RequestContext:
    key, digest = idempotency
    return RequestContext(
        request_id=state["request_id"],
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        key_id=caller.key_id,
        session_id=caller.session_id,
        scopes=tuple(sorted(caller.scopes)),
        operator=caller.operator,
        address=state.get("address", ""),
        lease_id=lease_id,
        # A key belongs to who sent it: two users of a tenant may choose the same.
        idempotency_key=f"{caller.key_id or caller.user_id}:{key}" if key else "",
        fingerprint=digest if key else "",
    )
