"""Where each provider is, and the same wrappers around each of them."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from chassis.http import Http
from chassis.outbound import guarded
from chassis.resilience import RetryPolicy
from llm_service.adapters.allowances import SharedPauses, ValkeyAllowances
from llm_service.adapters.http import Clients, HttpLimits, ProviderHttp, Upstream
from llm_service.adapters.registry import KINDS
from llm_service.adapters.supervisor import LocalEngine
from llm_service.adapters.wire import WireModel
from llm_service.domain.calls import Format, InputCounter, LanguageModel
from llm_service.domain.providers import Providers
from llm_service.policy.responses.translation import ResponsesByChat
from llm_service.policy.translation.pairs import ChatByMessages, MessagesByChat
from llm_service.service.allowed import Allowed
from llm_service.service.learned import Learned
from llm_service.service.resilience import Bounded, Breaking, Counted, Retrying
from llm_service.service.translating import Translating
from llm_service.service.unasked import Unasked
from llm_service.service.unspoken import Perhaps, Without
from llm_service.settings import Settings


@asynccontextmanager
async def clients(settings: Settings) -> AsyncIterator[Clients]:
    """Our own, and the one that dials what tenants chose."""
    seconds = settings.llm.timeouts.connect
    async with (
        Http(connect_seconds=seconds) as own,
        Http(connect_seconds=seconds, resolve=guarded(settings.outbound)) as careful,
    ):
        yield Clients(own, careful)


def upstreams(settings: Settings, engine: LocalEngine, *, uses_engine: bool) -> dict[str, Upstream]:
    """Every kind, by name. One without an address of its own is reached where a deployment, or a key, says."""
    given = {
        "openai": (settings.openai_base_url, settings.openai_api_key, "openai_base_url"),
        "anthropic": (settings.anthropic_base_url, settings.anthropic_api_key, "anthropic_base_url"),
        "hf": (settings.hf_base_url, settings.hf_api_key, "hf_base_url"),
    }
    found = {}
    for name, kind in KINDS.items():
        address: Callable[[], str | None] = _nowhere
        key, configured = "", False
        if name == "local":
            address, configured = engine.address, uses_engine
        elif name in given:
            base_url, secret, setting = given[name]
            address, key = _fixed(base_url), secret.get_secret_value()
            # A base address without a key is a server of one's own (vLLM, TGI): it gets no Authorization header.
            configured = bool(key) or setting in settings.model_fields_set
        found[name] = Upstream(
            name, address, key, configured, local=name == "local", authorization=kind.authorization, locate=kind.locate
        )
    return found


def kinds(upstreams: Mapping[str, Upstream]) -> Providers:
    """The same as data."""
    without = frozenset(name for name, one in upstreams.items() if not one.local and one.address() is None)
    return Providers(frozenset(upstreams), without)


def providers(
    settings: Settings,
    upstreams: Mapping[str, Upstream],
    clients: Clients,
    allowances: ValkeyAllowances,
    pauses: SharedPauses,
    learned: Learned,
) -> dict[str, LanguageModel]:
    """Outermost first: retries, the breaker, places, limits, translation, what is asked only by us, the count of
    attempts; then the wire.
    """
    llm, times = settings.llm, settings.llm.timeouts
    limits = HttpLimits(times.first_byte, times.between_bytes, times.total, llm.max_answer_bytes)
    wrapped: dict[str, LanguageModel] = {}
    for name, upstream in upstreams.items():
        http = ProviderHttp(clients, upstream, limits, pauses.heard)
        running, waiting = (llm.local.slots, llm.local.queue) if upstream.local else (llm.concurrency, llm.queue)
        wire: LanguageModel = Counted(WireModel(http, KINDS[name].wires()))
        if wire.speaks(Format.CHAT_COMPLETIONS) and not upstream.local:
            wire = Unasked(wire, learned)
        asked = translating(wire, llm.default_output_tokens, learned)
        bounded = Bounded(
            Allowed(asked, allowances, pauses, llm.queue_seconds),
            running=running,
            waiting=waiting,
            wait_seconds=llm.queue_seconds,
            clock=time.perf_counter,
        )
        breaking = Breaking(bounded, failures=llm.breaker_failures, pause_seconds=llm.breaker_pause_seconds)
        wrapped[name] = Retrying(breaking, RetryPolicy(attempts=llm.attempts))
    return wrapped


def counters(settings: Settings, upstreams: Mapping[str, Upstream], clients: Clients) -> dict[str, InputCounter]:
    """Who counts: asked once, since an estimate is always at hand."""
    times, llm = settings.llm.timeouts, settings.llm
    limits = HttpLimits(llm.count_seconds, times.between_bytes, llm.count_seconds, llm.max_answer_bytes)
    return {
        name: WireModel(ProviderHttp(clients, upstream, limits), KINDS[name].wires())
        for name, upstream in upstreams.items()
    }


def translating(model: LanguageModel, default_output_tokens: int, learned: Learned) -> LanguageModel:
    """Whatever format the model speaks, it is asked in any: what comes as responses goes on as chat completions."""
    conversations = Translating(model, (MessagesByChat(), ChatByMessages(default_output_tokens, time.time)))
    whole = Translating(conversations, (ResponsesByChat(),))
    if not conversations.speaks(Format.RESPONSES):
        return whole
    by_chat = Translating(Without(conversations, Format.RESPONSES), (ResponsesByChat(),))
    return Perhaps(whole, by_chat, Format.RESPONSES, learned)


def _fixed(address: str) -> Callable[[], str | None]:
    return lambda: address


def _nowhere() -> str | None:
    return None
