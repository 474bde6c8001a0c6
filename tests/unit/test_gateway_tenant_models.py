"""Which models a tenant may use, as the gateway hears it of llm_service and remembers it for a moment."""

import asyncio
from typing import Any, cast

import pytest
from aisp.llm.v1 import catalogue_pb2 as llm_pb
from aisp.rag.v1 import rag_service_pb2 as rag_pb

from chassis.context import RequestContext
from chassis.errors import NotFound, PlatformError, Unavailable
from gateway.admission import Gate, Work
from gateway.clients import Clients
from gateway.limits.exhausted import ExhaustedLimits
from gateway.limits.leases import Admission, Lease, Preview
from gateway.limits.meter import Meter
from gateway.limits.refusals import UnpricedModel
from gateway.tenant_models import AHEAD_SECONDS, DEFAULT_SECONDS, FRESH_SECONDS, PRICED_SECONDS, TenantModels
from gateway.verdicts import Caller, ModelNotAllowed

CALLING = RequestContext("r", tenant_id="t")


class Services:
    """llm_service and rag_service, and a clock."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = set(allowed)
        self.error: PlatformError | None = None
        self.asked: list[tuple[str, str, bool]] = []
        self.prices: dict[str, str] = {}
        self.answering = "default-model"
        self.now = 0.0
        self.llm = self.rag = self

    async def CheckModels(self, request: llm_pb.CheckModelsRequest, *, context: RequestContext) -> Any:  # noqa: N802
        (model,) = request.models
        self.asked.append((context.tenant_id, model, request.language))
        if self.error is not None:
            raise self.error
        allowed = [name for name in request.models if name in self.allowed]
        priced_as = [self.prices.get(model, model)] if request.language else []
        return llm_pb.CheckModelsResponse(allowed=allowed, priced_as=priced_as)

    async def GetAnsweringModel(self, _: Any, *, context: RequestContext) -> Any:  # noqa: N802
        del context
        return rag_pb.GetAnsweringModelResponse(model=self.answering)

    def models(self) -> TenantModels:
        return TenantModels(cast(Clients, self), lambda: self.now)


async def test_what_is_heard_holds_for_a_moment() -> None:
    services = Services("m")
    models = services.models()
    for _ in range(3):
        await models.check(CALLING, "m")
        with pytest.raises(ModelNotAllowed, match="may not use the model other"):
            await models.check(CALLING, "other")
    assert services.asked == [("t", "m", False), ("t", "other", False)]
    services.allowed = {"other"}
    services.now += FRESH_SECONDS
    await models.check(CALLING, "other")
    with pytest.raises(ModelNotAllowed):
        await models.check(CALLING, "m")


async def test_who_calls_again_and_again_never_waits(leaping: None) -> None:
    services = Services("m")
    models = services.models()
    await models.check(CALLING, "m")
    services.now += FRESH_SECONDS - AHEAD_SECONDS
    services.allowed = set()
    # Still as it was heard; and asked again, once, behind the calls.
    for _ in range(3):
        await models.check(CALLING, "m")
    await asyncio.sleep(1)
    assert len(services.asked) == 2
    with pytest.raises(ModelNotAllowed):
        await models.check(CALLING, "m")
    assert len(services.asked) == 2


async def test_another_tenant_is_asked_for_by_itself() -> None:
    services = Services("m")
    models = services.models()
    await models.check(CALLING, "m")
    await models.check(CALLING._replace(tenant_id="other"), "m")
    assert [tenant for tenant, *_ in services.asked] == ["t", "other"]


async def test_while_nobody_can_say_what_was_last_heard_holds() -> None:
    services = Services("m")
    models = services.models()
    await models.check(CALLING, "m")
    services.now, services.error = services.now + FRESH_SECONDS, Unavailable()
    await models.check(CALLING, "m")
    with pytest.raises(Unavailable):
        await models.check(CALLING, "never heard of")


async def test_a_name_that_is_no_models_is_told_so_each_time() -> None:
    services = Services()
    services.error = NotFound()
    models = services.models()
    for _ in range(2):
        with pytest.raises(NotFound):
            await models.check(CALLING, "no-such-model", language=True)


async def test_the_default_model_is_asked_for_now_and_then() -> None:
    services = Services()
    models = services.models()
    assert await models.answering(CALLING) == "default-model"
    services.answering = "another"
    assert await models.answering(CALLING) == "default-model"
    services.now += DEFAULT_SECONDS
    assert await models.answering(CALLING) == "another"


class PriceBook:
    """A meter that has prices for some names, and wants one."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked: list[tuple[str, str]] = []

    async def reserve(self, admission: Admission, _meanwhile: Any = None) -> Lease:
        self.asked.append((admission.model, admission.priced_as))
        if (admission.priced_as or admission.model) not in self.names:
            raise UnpricedModel
        return Lease("lease", admission, ())

    async def preview(self, admission: Admission) -> Preview:
        await self.reserve(admission)
        return Preview(7, (), ())


def gate_of(services: Services, meter: PriceBook) -> Gate:
    return Gate(cast(Meter, meter), cast(ExhaustedLimits, None), services.models())


CALLER = Caller(tenant_id="t", user_id="u", key_id="", scopes=frozenset(("inference",)), plan="free")
STATE = {"caller": CALLER, "request_id": "r"}


async def test_a_model_under_another_name_is_reserved_at_its_price() -> None:
    services, meter = Services("fast"), PriceBook("m")
    services.prices = {"fast": "m"}
    gate = gate_of(services, meter)
    for _ in range(2):
        lease = await gate.reserve(STATE, "inference", Work("llm", model="fast"))
        # In the ledger the request is of the model that was asked for.
        assert (lease.admission.model, lease.admission.priced_as) == ("fast", "m")
    # Heard once, and known from then on, for a while.
    assert meter.asked == [("fast", ""), ("fast", "m"), ("fast", "m")]
    assert services.asked == [("t", "fast", True)]
    assert (await gate.preview(STATE, Work("llm", model="fast"))).cost_nano_usd == 7
    services.now += PRICED_SECONDS
    await gate.reserve(STATE, "inference", Work("llm", model="fast"))
    assert len(services.asked) == 2


@pytest.mark.parametrize("work", [Work("llm", model="m"), Work("embedding", model="m")])
async def test_what_has_no_price_under_any_name_is_refused(work: Work) -> None:
    meter = PriceBook()
    with pytest.raises(UnpricedModel):
        await gate_of(Services("m"), meter).reserve(STATE, "", work)
    assert meter.asked == [("m", "")]


@pytest.mark.parametrize(
    ("work", "passes"),
    [
        (Work("embedding", model="m"), True),
        (Work("embedding", model="other"), False),
        # What the platform would choose has to be named; a search has nobody to name it.
        (Work("embedding"), False),
        (Work("speech"), False),
        (Work("rag", model="m", output_tokens=9), True),
        (Work("rag", output_tokens=9), False),
        (Work("rag"), True),
    ],
)
async def test_a_key_for_some_models_is_for_no_others(work: Work, passes: bool) -> None:
    gate = Gate(cast(Meter, None), cast(ExhaustedLimits, None), Services("m", "other", "").models())
    caller = Caller(tenant_id="t", user_id="u", key_id="k", scopes=frozenset(), plan="free", models=frozenset(("m",)))
    with pytest.raises(AttributeError if passes else ModelNotAllowed):
        await gate.reserve({"caller": caller, "request_id": "r"}, "", work)


@pytest.mark.parametrize(
    ("work", "asked"),
    [
        (Work("llm", model="m"), []),
        (Work("embedding", model="m"), [("t", "m", False)]),
        (Work("embedding"), [("t", "", False)]),
        (Work("speech", model="m"), [("t", "m", False)]),
        (Work("rag", model="m"), [("t", "m", True)]),
        (Work("rag"), []),
        (Work("rag", "effect", model="m"), []),
    ],
)
async def test_work_elsewhere_is_bound_before_the_meter_is_asked(
    work: Work, asked: list[tuple[str, str, bool]]
) -> None:
    services = Services()
    gate = Gate(cast(Meter, None), cast(ExhaustedLimits, None), services.models())
    caller = Caller(tenant_id="t", user_id="u", key_id="", scopes=frozenset(("inference",)), plan="free")
    # Nobody is at the meter: who comes so far fails otherwise.
    with pytest.raises(ModelNotAllowed if asked else AttributeError):
        await gate.reserve({"caller": caller, "request_id": "r"}, "inference", work)
    assert services.asked == asked
