"""Prices, plans, budgets and webhooks: real PostgreSQL, real Valkey, a real listener for messages."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiohttp import web
from aisp.common.v1 import usage_pb2
from aisp.usage.v1 import budgets_pb2, prices_pb2, webhooks_pb2
from aisp.usage.v1 import usage_service_pb2 as pb
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceStub
from pydantic import SecretStr

from chassis.context import RequestContext
from chassis.errors import AlreadyExists, InvalidArgument, PermissionDenied
from chassis.jobs import CHANNEL
from chassis.notifications import Listener as Notified
from chassis.settings import DatabaseSettings, OutboundSettings, RedisSettings, WireSettings
from gateway.limits.leases import Admission, Line
from gateway.limits.meter import Meter
from gateway.limits.resp import RespClient
from tests.conftest import BOTH_SERVERS
from tests.integration.conftest import ROOT, Serve
from tests.integration.meter_heard import HeardMeter
from tests.promptness import PATIENCE
from usage_service.app import Worker, compose, compose_worker
from usage_service.settings import Settings, UsageSection

pytestmark = BOTH_SERVERS

MODEL = "local/smollm2-135m-instruct"
SEARCHES = usage_pb2.UNIT_WEB_SEARCHES
OPERATOR = RequestContext("op", tenant_id=str(uuid4()), operator=True)


class Listener:
    """Takes messages and answers what it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)


class Books:
    """The service, its worker, a gateway's meter, a listener, a tenant."""

    def __init__(self, stub: UsageServiceStub, worker: Worker, meter: Meter, listener: Listener) -> None:
        self.stub = stub
        self.worker = worker
        self.meter = meter
        self.listener = listener
        self.tenant = str(uuid4())
        self.context = RequestContext("r-9", tenant_id=self.tenant, user_id="u")

    def admission(self, **changes: object) -> Admission:
        given = {"tenant_id": self.tenant, "plan": "pro", "tenant_version": 1, "request_id": "r-9", "service": "llm"}
        return Admission(**(given | {"model": MODEL, "user_id": "u"} | changes))  # type: ignore[arg-type]

    async def use(self, inputs: int, outputs: int = 0, model: str = MODEL) -> None:
        lease = await self.meter.reserve(self.admission(tokens=inputs, model=model))
        lines = [
            Line("llm", model, "local", "input_tokens", inputs),
            Line("llm", model, "local", "output_tokens", outputs),
        ]
        await self.meter.settle(lease, [line for line in lines if line.amount])
        await self.book()

    async def book(self) -> None:
        while await self.worker._ledger.move(1000, 0.05):
            pass

    async def delivered(self, count: int) -> list[dict[str, Any]]:
        for _ in range(int(PATIENCE / 0.05)):
            if len(self.listener.got) >= count:
                break
            await asyncio.sleep(0.05)
        return [orjson.loads(body) for _, body in self.listener.got]

    async def webhook(self, *event_types: str) -> webhooks_pb2.CreateWebhookResponse:
        request = webhooks_pb2.CreateWebhookRequest(url=self.listener.url, event_types=event_types)
        made: webhooks_pb2.CreateWebhookResponse = await self.stub.CreateWebhook(request, context=self.context)
        return made

    async def delivery(self, webhook_id: str, status: int) -> webhooks_pb2.Delivery:
        for _ in range(int(PATIENCE / 0.05)):
            request = webhooks_pb2.ListDeliveriesRequest(webhook_id=webhook_id)
            found = (await self.stub.ListDeliveries(request, context=self.context)).deliveries
            if found and found[0].status == status:
                delivery: webhooks_pb2.Delivery = found[0]
                return delivery
            await asyncio.sleep(0.05)
        raise AssertionError(found)


def budget(**changes: object) -> budgets_pb2.CreateBudgetRequest:
    given: dict[str, object] = {
        "name": "b", "scope": budgets_pb2.BUDGET_SCOPE_TENANT, "measure": budgets_pb2.BUDGET_MEASURE_TOKENS,
        "period": budgets_pb2.BUDGET_PERIOD_MONTH, "amount": 1000, "thresholds": [50], "hard_stop": True,
    }  # fmt: skip
    return budgets_pb2.CreateBudgetRequest(budget=budgets_pb2.Budget(**(given | changes)))  # type: ignore[arg-type]


@pytest.fixture
async def books(
    migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings, serve: Serve
) -> AsyncIterator[Books]:
    settings = Settings(
        database=migrated("usage_service"),
        redis=valkey,
        wire=WireSettings(secret=SecretStr(ROOT.decode())),
        outbound=OutboundSettings(networks=(IPv4Network("127.0.0.0/8"),), plain_http=True),
        usage=UsageSection(
            poll_seconds=0.05, webhook_pause_seconds=0.05,
            webhook_attempts=3, webhook_disable_after=4,
            max_budgets=4,
            max_webhooks=2,
        ),
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        listener = Listener()
        application = web.Application()
        application.router.add_post("/hooks", listener.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
        stub = UsageServiceStub(await stack.enter_async_context(serve("usage_service", settings, compose)))
        worker = await stack.enter_async_context(compose_worker(settings))
        await worker._open()
        await worker._prices.publish_changes()
        await worker._ledger.ensure_partitions()
        told = Notified(worker._dsn, CHANNEL, worker._jobs.told)
        for work in (worker._jobs.run(), told.run()):
            stack.callback(asyncio.create_task(work).cancel)
        resp = RespClient(valkey)
        stack.callback(resp.close)

        async def ensure(admission: Admission) -> None:
            asking = RequestContext(admission.request_id, tenant_id=admission.tenant_id, user_id=admission.user_id)
            request = pb.EnsureLimitsRequest(plan=admission.plan, tenant_version=1, key_id=admission.key_id)
            await stub.EnsureLimits(request, context=asking)

        yield Books(stub, worker, HeardMeter(resp, ensure), listener)


async def test_the_starter_table_prices_the_default_catalogue(books: Books) -> None:
    found = (await books.stub.ListPrices(prices_pb2.ListPricesRequest(), context=books.context)).prices
    priced = {(price.provider, price.model) for price in found}
    wanted = {
        ("local", MODEL), ("local", "local/all-minilm-l6-v2"), ("local", "local/piper"),
        ("local", "local/whisper-tiny.en"), ("openai", "gpt-4o-mini"), ("openai", "gpt-4.1"), ("openai", "whisper-1"),
        ("openai", "text-embedding-3-small"), ("anthropic", "claude-sonnet-4-5"),
        ("hf", "meta-llama/Llama-3.1-8B-Instruct"),
    }  # fmt: skip
    assert wanted <= priced
    ours = [price for price in found if (price.provider, price.model) in wanted]
    assert all(price.source and price.nano_usd_per_million > 0 for price in ours)
    # Ten dollars a thousand, of every model that writes.
    searched = {(price.provider, price.nano_usd_per_million) for price in found if price.unit == SEARCHES}
    assert searched == {("anthropic", 10**13), ("openai", 10**13)}
    assert {"claude-sonnet-4-5", "gpt-4.1"} <= {price.model for price in found if price.unit == SEARCHES}
    listing = prices_pb2.ListPricesRequest(model="meta-llama/Llama-3.3-70B-Instruct", history=True)
    versions = {price.nano_usd_per_million for price in (await books.stub.ListPrices(listing, context=OPERATOR)).prices}
    assert versions == {6 * 10**8, 9 * 10**8, 12 * 10**8}


async def test_a_price_has_versions_and_the_past_is_never_edited(books: Books) -> None:
    model = f"m-{uuid4().hex}"
    price = prices_pb2.Price(
        provider="local", model=model, unit=usage_pb2.UNIT_INPUT_TOKENS, nano_usd_per_million=10**9, source="test"
    )
    request = prices_pb2.AddPricesRequest(prices=[price])
    with pytest.raises(PermissionDenied):
        await books.stub.AddPrices(request, context=books.context)
    (first,) = (await books.stub.AddPrices(request, context=OPERATOR)).prices
    await books.use(1000, model=model)
    price.nano_usd_per_million = 3 * 10**9
    (second,) = (await books.stub.AddPrices(prices_pb2.AddPricesRequest(prices=[price]), context=OPERATOR)).prices
    await books.use(1000, model=model)
    events = (await books.stub.ListEvents(pb.ListEventsRequest(), context=books.context)).events
    told = [(event.lines[0].price_version, event.lines[0].cost_nano_usd) for event in events]
    assert told == [(second.version, 3_000_000), (first.version, 1_000_000)]
    for at, error in ((datetime.now(UTC) - timedelta(hours=1), InvalidArgument), (None, AlreadyExists)):
        again = prices_pb2.Price()
        again.CopyFrom(price)
        again.effective_time.FromDatetime(at or datetime.now(UTC) + timedelta(days=1))
        if at is None:
            await books.stub.AddPrices(prices_pb2.AddPricesRequest(prices=[again]), context=OPERATOR)
        with pytest.raises(error):
            await books.stub.AddPrices(prices_pb2.AddPricesRequest(prices=[again]), context=OPERATOR)
    listing = prices_pb2.ListPricesRequest(model=model, history=True)
    assert len((await books.stub.ListPrices(listing, context=OPERATOR)).prices) == 3


async def test_a_price_may_have_tiers_by_the_length_of_a_call(books: Books) -> None:
    model, unit = f"m-{uuid4().hex}", usage_pb2.UNIT_INPUT_TOKENS
    tier = prices_pb2.PriceTier(from_input_tokens=1001, nano_usd_per_million=2 * 10**9)
    price = prices_pb2.Price(provider="local", model=model, unit=unit, nano_usd_per_million=10**9, tiers=[tier])
    (added,) = (await books.stub.AddPrices(prices_pb2.AddPricesRequest(prices=[price]), context=OPERATOR)).prices
    assert list(added.tiers) == [tier]
    listing = prices_pb2.ListPricesRequest(model=model)
    assert (await books.stub.ListPrices(listing, context=books.context)).prices == [added]
    for tokens in (1000, 1001):
        await books.use(tokens, model=model)
    events = (await books.stub.ListEvents(pb.ListEventsRequest(), context=books.context)).events
    told = [(line.price_version, line.cost_nano_usd, line.from_input_tokens) for (line,) in (e.lines for e in events)]
    assert told == [(added.version, 2_002_000, 1001), (added.version, 1_000_000, 0)]
    price.tiers[0].from_input_tokens = 0
    with pytest.raises(InvalidArgument, match="tiers"):
        await books.stub.AddPrices(prices_pb2.AddPricesRequest(prices=[price]), context=OPERATOR)
    starter = prices_pb2.ListPricesRequest(provider="openai", model="gpt-5.4")
    found = [row for row in (await books.stub.ListPrices(starter, context=books.context)).prices if row.tiers]
    # Above 272,000 tokens twice as much to read and half as much again to write.
    assert {row.unit: (row.nano_usd_per_million, row.tiers[0].nano_usd_per_million) for row in found} == {
        usage_pb2.UNIT_INPUT_TOKENS: (2_500_000_000, 5_000_000_000),
        usage_pb2.UNIT_CACHED_INPUT_TOKENS: (250_000_000, 500_000_000),
        usage_pb2.UNIT_OUTPUT_TOKENS: (15_000_000_000, 22_500_000_000),
    }
    assert {row.tiers[0].from_input_tokens for row in found} == {272_001}


async def test_a_tenant_has_a_markup_and_prices_of_its_own(books: Books) -> None:
    markup = prices_pb2.AddMarkupRequest(markup=prices_pb2.Markup(tenant_id=books.tenant, basis_points=5000))
    await books.stub.AddMarkup(markup, context=OPERATOR)
    await books.use(1000)
    own = prices_pb2.Price(
        provider="local", model=MODEL, unit=usage_pb2.UNIT_INPUT_TOKENS, nano_usd_per_million=0, tenant_id=books.tenant
    )
    await books.stub.AddPrices(prices_pb2.AddPricesRequest(prices=[own]), context=OPERATOR)
    await books.use(1000)
    events = (await books.stub.ListEvents(pb.ListEventsRequest(), context=books.context)).events
    # 0.01 dollars a million, half more: 15 millionths; then free, by a price that says so.
    assert [event.amounts.cost_nano_usd for event in events] == [0, 15_000]
    assert events[0].lines[0].price_version > 0
    assert not events[0].unpriced


async def test_what_has_no_price_is_marked(books: Books) -> None:
    await books.use(10, model="nobody-knows")
    await books.use(10)
    wanted = pb.ListEventsRequest(filter=pb.EventFilter(unpriced=True))
    (event,) = (await books.stub.ListEvents(wanted, context=books.context)).events
    assert (event.model, event.unpriced, event.lines[0].price_version) == ("nobody-knows", True, 0)


def check_signature(secret: str, headers: dict[str, str], body: bytes) -> list[bool]:
    told = {name.lower(): value for name, value in headers.items()}
    signed = f"{told['webhook-id']}.{told['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return [signature == wanted for signature in told["webhook-signature"].split(" ")]


async def test_a_message_is_signed_tried_again_and_rotated(books: Books) -> None:
    made = await books.webhook()
    books.listener.answers = [500, 503]
    test = webhooks_pb2.TestWebhookRequest(id=made.webhook.id)
    sent = (await books.stub.TestWebhook(test, context=books.context)).delivery
    await books.delivered(3)
    assert {headers["webhook-id"] for headers, _ in books.listener.got} == {sent.id}
    assert all(check_signature(made.secret, headers, body) == [True] for headers, body in books.listener.got)
    done = await books.delivery(made.webhook.id, webhooks_pb2.DELIVERY_STATUS_DELIVERED)
    assert (done.attempts, done.response_status, done.error) == (3, 204, "")
    rotation = webhooks_pb2.RotateWebhookSecretRequest(id=made.webhook.id, overlap_seconds=60)
    secret = (await books.stub.RotateWebhookSecret(rotation, context=books.context)).secret
    await books.stub.TestWebhook(test, context=books.context)
    await books.delivered(4)
    headers, body = books.listener.got[3]
    assert check_signature(secret, headers, body) == [True, False]
    assert check_signature(made.secret, headers, body) == [False, True]


async def test_a_webhook_that_never_answers_is_disabled(books: Books) -> None:
    made = await books.webhook()
    books.listener.answers = [500] * 6
    test = webhooks_pb2.TestWebhookRequest(id=made.webhook.id)
    await books.stub.TestWebhook(test, context=books.context)
    failed = await books.delivery(made.webhook.id, webhooks_pb2.DELIVERY_STATUS_FAILED)
    assert (failed.attempts, failed.response_status) == (3, 500)
    await books.stub.TestWebhook(test, context=books.context)
    await books.delivered(4)
    await books.delivery(made.webhook.id, webhooks_pb2.DELIVERY_STATUS_FAILED)
    asked = webhooks_pb2.GetWebhookRequest(id=made.webhook.id)
    found = (await books.stub.GetWebhook(asked, context=books.context)).webhook
    assert (found.enabled, found.disabled_reason) == (False, "4 attempts failed on end")
    enabled = webhooks_pb2.UpdateWebhookRequest(id=made.webhook.id, enabled=True)
    assert (await books.stub.UpdateWebhook(enabled, context=books.context)).webhook.failures == 0


async def test_an_event_is_told_once_to_who_wants_it(books: Books) -> None:
    await books.webhook("document.ready")
    await books.webhook("budget.threshold")
    event = webhooks_pb2.PublishEventRequest(event_type="document.ready", data_json='{"id": "d"}', once="document:d:1")
    for _ in range(3):
        await books.stub.PublishEvent(event, context=books.context)
    assert [(message["type"], message["data"]) for message in await books.delivered(1)] == [
        ("document.ready", {"id": "d"})
    ]
    await asyncio.sleep(0.3)
    assert len(books.listener.got) == 1
    for wrong in ({"event_type": "no.such"}, {"data_json": "["}, {"data_json": "[]"}):
        bad = webhooks_pb2.PublishEventRequest(**({"event_type": "document.ready", "data_json": "{}"} | wrong))
        with pytest.raises(InvalidArgument):
            await books.stub.PublishEvent(bad, context=books.context)


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://user:pw@127.0.0.1/", "http://10.0.0.1/", "http://x y/"])
async def test_a_webhook_leads_to_a_public_server_only(books: Books, url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await books.stub.CreateWebhook(webhooks_pb2.CreateWebhookRequest(url=url), context=books.context)
    assert caught.value.reason in ("URL_REFUSED", "ADDRESS_REFUSED")


async def test_an_export_has_every_event_once_and_filters_narrow(books: Books) -> None:
    for number in range(3):
        await books.use(10 + number)
    await books.use(5, model="another")
    parts = books.stub.ExportEvents(pb.ExportEventsRequest(), context=books.context)
    events = [event async for part in parts for event in part.events]
    assert [event.amounts.input_tokens for event in events] == [10, 11, 12, 5]
    today = datetime.now(UTC).date().isoformat()
    for wanted, count in (
        (pb.EventFilter(model="another"), 1),
        (pb.EventFilter(from_date=today, to_date=today), 4),
        (pb.EventFilter(user_id="nobody"), 0),
        (pb.EventFilter(status=pb.EVENT_STATUS_PARTIAL), 0),
        (pb.EventFilter(from_date="2020-01-01", to_date="2020-02-01"), 0),
    ):
        found = (await books.stub.ListEvents(pb.ListEventsRequest(filter=wanted), context=books.context)).events
        assert len(found) == count, wanted
    listing = pb.ListEventsRequest(page_size=3)
    first = await books.stub.ListEvents(listing, context=books.context)
    listing.page_token = first.next_page_token
    rest = await books.stub.ListEvents(listing, context=books.context)
    assert [row.amounts.input_tokens for row in (*first.events, *rest.events)] == [5, 12, 11, 10]


async def test_a_preview_consumes_nothing_and_tells_what_binds(books: Books) -> None:
    await books.stub.CreateBudget(budget(amount=100), context=books.context)
    for _ in range(3):
        found = await books.meter.preview(books.admission(tokens=90, output_tokens=10, output_bounded=True))
        assert (found.binding, found.cost_nano_usd) == ((), 1100)
    found = await books.meter.preview(books.admission(tokens=91, output_tokens=10, output_bounded=True))
    assert [row.name for row in found.binding] == ["tokens_per_month"]
    assert found.binding[0].reset_seconds > 0
