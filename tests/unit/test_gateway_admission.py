"""A service's call that is begun while the meter is asked: when it is, and what becomes of it."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from chassis.context import RequestContext
from chassis.errors import Internal, PlatformError
from chassis.relay.calls import Begun
from gateway.admission import Gate, Work
from gateway.clients import Clients
from gateway.limits.exhausted import ExhaustedLimits
from gateway.limits.leases import Admission, Lease
from gateway.limits.meter import Meter
from gateway.limits.resp import StoreUnavailable
from gateway.tenant_models import TenantModels
from gateway.verdicts import Caller

CALLER = Caller(tenant_id="t", user_id="u", key_id="k", scopes=frozenset(("inference",)), plan="free")
WORK = Work("llm", model="m", tokens=3)


class AtTheMeter:
    """Answers with the lease `given`, or an error, after it has let its caller go on meanwhile with `asked`."""

    def __init__(self, asked: str = "lease", given: str = "lease", error: PlatformError | None = None) -> None:
        self.asked = asked
        self.given = given
        self.error = error
        self.settled: list[Lease] = []

    async def reserve(self, admission: Admission, meanwhile: Callable[[str], None] | None = None) -> Lease:
        if meanwhile is not None and self.asked:
            meanwhile(self.asked)
        if self.error is not None:
            raise self.error
        return Lease(self.given, admission, ())

    async def settle(self, lease: Lease, *_: Any, **__: Any) -> None:
        self.settled.append(lease)


class Call:
    """A call at the service: how often it was told to go, and that nobody wants it any more."""

    def __init__(self) -> None:
        self.went = self.left = 0
        self.contexts: list[RequestContext] = []

    def go(self) -> None:
        self.went += 1

    def leave(self) -> None:
        self.left += 1

    def begin(self, context: RequestContext) -> Begun:
        self.contexts.append(context)
        return Begun(cast(Any, self), b"")


def gate(meter: AtTheMeter) -> Gate:
    return Gate(cast(Meter, meter), cast(ExhaustedLimits, None), TenantModels(cast(Clients, None)))


def state() -> dict[str, Any]:
    return {"caller": CALLER, "request_id": "r"}


async def test_it_is_begun_under_the_lease_that_it_gets() -> None:
    call, meter = Call(), AtTheMeter()
    async with gate(meter).admitted(state(), "inference", WORK, begin=call.begin) as admitted:
        assert admitted.begun is not None
        assert admitted.options["begun"] is admitted.begun
        assert call.contexts == [admitted.context]
        assert (admitted.context.lease_id, admitted.context.tenant_id) == ("lease", "t")
        assert (call.went, call.left) == (1, 0)
    # Leaving a call that was made does nothing; one that was not is given up here.
    assert (call.left, len(meter.settled)) == (1, 1)


@pytest.mark.parametrize("error", [StoreUnavailable(), Internal()])
async def test_who_is_refused_has_asked_for_nothing(error: PlatformError) -> None:
    call = Call()
    with pytest.raises(type(error)):
        async with gate(AtTheMeter(error=error)).admitted(state(), "inference", WORK, begin=call.begin):
            pytest.fail("it was not admitted")
    assert (len(call.contexts), call.went, call.left) == (1, 0, 1)


async def test_under_another_lease_it_is_made_anew() -> None:
    call = Call()
    async with gate(AtTheMeter(given="another")).admitted(state(), "", WORK, begin=call.begin) as admitted:
        assert (admitted.begun, call.went, call.left) == (None, 0, 1)
        assert "begun" not in admitted.options
        assert admitted.context.lease_id == "another"


async def test_nothing_is_begun_under_an_idempotency_key() -> None:
    call = Call()
    async with gate(AtTheMeter()).admitted(state(), "", WORK, ("key", "digest"), call.begin) as admitted:
        assert (admitted.begun, call.contexts) == (None, [])


async def test_what_cannot_be_begun_is_made_as_any_other() -> None:
    def fails(_context: RequestContext) -> Begun:
        raise Internal

    for begin in (fails, lambda _context: None, None):
        async with gate(AtTheMeter()).admitted(state(), "", WORK, begin=begin) as admitted:
            assert (admitted.begun, admitted.context.lease_id) == (None, "lease")
    async with gate(AtTheMeter(asked="")).admitted(state(), "", WORK, begin=Call().begin) as admitted:
        assert admitted.begun is None
