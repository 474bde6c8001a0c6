"""What there is: models of every kind, providers, prices, vector stores."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from aisp.embedding.v1 import embedding_service_pb2 as embedding_pb
from aisp.llm.v1 import llm_service_pb2 as llm_pb
from aisp.llm.v1.catalogue_pb2 import CheckModelsRequest
from aisp.rag.v1 import rag_service_pb2 as rag_pb
from aisp.speech.v1 import speech_service_pb2 as speech_pb
from aisp.usage.v1 import prices_pb2
from fastapi import APIRouter, Request

from chassis.context import RequestContext
from chassis.errors import NotFound, PlatformError
from gateway.admission import UNITS, Call
from gateway.clients import Clients
from gateway.routes.common import AUTHENTICATED, Services, StrictRoute, managed, problems

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])

Prices = dict[tuple[str, str], dict[int, dict[str, int]]]
"""Nano-dollars for a million of each unit, by provider and model, and by the tokens that a call has to read for it."""
HEALTH = {llm_pb.HEALTH_OK: "ok", llm_pb.HEALTH_FAILING: "failing", llm_pb.HEALTH_NOT_CONFIGURED: "not_configured"}


class ModelNotFound(NotFound):
    reason = "MODEL_NOT_FOUND"
    message = "The model does not exist."


@router.get("/v1/models", responses=AUTHENTICATED, operation_id="listModels")
async def list_models(request: Request, services: Services, call: Call = managed("")) -> dict[str, Any]:
    """The models of every kind that the caller may use, with what they can do and cost."""
    found, _ = await _models(services, call.context)
    data = [_public_model(model) for model in found if _permitted(request, model)]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return {"object": "list", "data": data, "has_more": False, **ends}


@router.get("/v1/models/{name:path}", responses=AUTHENTICATED | problems(404), operation_id="getModel")
async def get_model(name: str, request: Request, services: Services, call: Call = managed("")) -> dict[str, Any]:
    """One model."""
    found, _ = await _models(services, call.context)
    for model in found:
        if model["name"] == name and _permitted(request, model):
            return _public_model(model)
    raise ModelNotFound(f"The model {name[:200]} does not exist.", metadata={"param": "model"})


@router.get("/api/v1/services/providers", responses=AUTHENTICATED, operation_id="listProviders")
async def list_providers(services: Services, call: Call = managed("")) -> dict[str, Any]:
    """Providers with their models, capabilities, health and prices; and the vector stores."""
    (models, down), stores = await asyncio.gather(_models(services, call.context), _stores(services, call.context))
    providers: dict[str, dict[str, Any]] = {}
    for model in models:
        entry = providers.setdefault(model["provider"], {"name": model["provider"], "services": [], "models": []})
        if model["service"] not in entry["services"]:
            entry["services"].append(model["service"])
        entry["models"].append({key: value for key, value in model.items() if key != "provider"})
    rank = ("ok", "failing", "not_configured")
    for entry in providers.values():
        entry["health"] = min((model["health"] for model in entry["models"]), key=rank.index)
    data = sorted(providers.values(), key=lambda entry: (rank.index(entry["health"]), entry["name"]))
    return {"data": data, "vector_stores": stores, "unavailable_services": down}


def _permitted(request: Request, model: dict[str, Any]) -> bool:
    """Whether the caller's key may use it; what the tenant may not use is not there at all."""
    names = request.state.caller.models
    return not names or model["name"] in names


async def _models(services: Clients, calling: RequestContext) -> tuple[list[dict[str, Any]], list[str]]:
    """The models of all services, and the services that did not answer."""
    names = ("llm", "embedding", "speech")
    asked = asyncio.gather(
        services.llm.ListModels(llm_pb.ListModelsRequest(), context=calling),
        services.embedding.ListModels(embedding_pb.ListModelsRequest(), context=calling),
        services.speech.ListModels(speech_pb.ListModelsRequest(), context=calling),
        return_exceptions=True,
    )
    answers, prices = await asyncio.gather(asked, _prices(services, calling))
    found: list[dict[str, Any]] = []
    down = []
    rest = [model.name for answer in answers[1:] if not isinstance(answer, BaseException) for model in answer.models]
    permitted = await _permitted_of(services, calling, rest)
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, PlatformError):
            down.append(name)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            # What llm_service tells is what the tenant may use.
            offered = [model for model in answer.models if name == "llm" or model.name in permitted]
            found += [_model(name, model, prices) for model in offered]
    return found, down


async def _permitted_of(services: Clients, calling: RequestContext, names: list[str]) -> Collection[str]:
    """Those that the tenant may use; none while nobody can say."""
    try:
        found = await services.llm.CheckModels(CheckModelsRequest(models=names), context=calling)
    except PlatformError:
        return ()
    return frozenset(found.allowed)


def _model(service: str, model: Any, prices: Prices) -> dict[str, Any]:
    document = {
        "name": model.name,
        "service": service,
        "provider": model.provider,
        "capabilities": list(model.capabilities),
        "health": HEALTH.get(model.health, "failing") if service == "llm" else model.health,
    }
    for field in ("context_length", "max_output_tokens", "dimensions", "create_time_seconds", "alias_of"):
        if value := getattr(model, field, 0):
            document[field] = value
    for field, name in (("deprecation_time_seconds", "deprecated_at"), ("shutdown_time_seconds", "shutdown_at")):
        if at := getattr(model, field, 0):
            document[name] = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    if len(served_by := getattr(model, "providers", ())) > 1:
        document["providers"] = list(served_by)
    priced = getattr(model, "price_key", "") or document.get("alias_of") or model.name
    # openai/gpt-4o-mini and gpt-4o-mini are one model of one provider.
    spelt = (priced, priced.removeprefix(f"{model.provider}/"))
    found = next((prices[model.provider, one] for one in spelt if (model.provider, one) in prices), {})
    document["prices"] = found.get(0, {})
    if longer := sorted(start for start in found if start):
        document["price_tiers"] = [{"from_input_tokens": start, "prices": found[start]} for start in longer]
    return document


def _public_model(model: dict[str, Any]) -> dict[str, Any]:
    """As OpenAI's and Anthropic's SDKs read it, each by its own names."""
    hidden = ("name", "provider", "create_time_seconds")
    since = model.get("deprecated_at")
    deprecated = since is not None and datetime.fromisoformat(since) <= datetime.now(UTC)
    return {
        "id": model["name"],
        "object": "model",
        "created": model.get("create_time_seconds", 0),
        "owned_by": model["provider"],
        "type": "model",
        "display_name": model["name"],
        "created_at": datetime.fromtimestamp(model.get("create_time_seconds", 0), UTC).isoformat(),
        "lifecycle": "deprecated" if deprecated else "active",
        "retires_at": model.get("shutdown_at"),
        "max_input_tokens": model.get("context_length"),
        "max_tokens": model.get("max_output_tokens"),
        **{key: value for key, value in model.items() if key not in hidden},
    }


async def _prices(services: Clients, calling: RequestContext) -> Prices:
    """Nano-dollars for a million units, by provider and model."""
    try:
        rows = (await services.usage.ListPrices(prices_pb2.ListPricesRequest(), context=calling)).prices
    except PlatformError:
        return {}
    prices: Prices = {}
    for row in rows:
        found, unit = prices.setdefault((row.provider, row.model), {}), UNITS[row.unit]
        found.setdefault(0, {})[unit] = row.nano_usd_per_million
        for tier in row.tiers:
            found.setdefault(tier.from_input_tokens, {})[unit] = tier.nano_usd_per_million
    return prices


async def _stores(services: Clients, calling: RequestContext) -> list[dict[str, Any]]:
    try:
        found = await services.rag.ListVectorStores(rag_pb.ListVectorStoresRequest(), context=calling)
    except PlatformError:
        return []
    return [
        {"name": store.name, "capabilities": list(store.capabilities), "health": store.health}
        for store in found.vector_stores
    ]
