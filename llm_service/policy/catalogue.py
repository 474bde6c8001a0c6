"""What may stand in the catalogue, in a tenant's rules and in its aliases."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from chassis.errors import Violation
from llm_service.domain.errors import BadModel, BadRules
from llm_service.domain.models import Deployment, Model
from llm_service.domain.providers import Providers
from llm_service.domain.tenancy import ModelRules
from llm_service.policy.names import STAR

CAPABILITIES = frozenset(
    ("chat", "stream", "tools", "vision", "files", "json_schema", "logprobs", "reasoning", "audio", "prompt_cache")
)
MAX_NAME, MAX_UPSTREAM, MAX_ADDRESS, MAX_WORD = 200, 300, 2048, 64
MAX_DEPLOYMENTS, MAX_TENANTS, MAX_PATTERNS, MAX_REGIONS = 16, 1000, 500, 32
MOST = 1000
"""Of priorities and weights."""
MOST_TOKENS = 2**31 - 1
MOST_COUNT = 2**53
_NAME = re.compile(r"[!-~]+")
_WORD = re.compile(r"[a-z0-9][a-z0-9_.-]*")


def checked_model(model: Model, providers: Providers) -> Model:
    """The row as it is kept: its deployments with their ids. BadModel names each field that is wrong."""
    model = replace(model, deployments=tuple(_with_id(model.name, one) for one in model.deployments))
    if wrong := [Violation(field, description) for field, description in _wrong(model, providers)]:
        raise BadModel(f"{wrong[0].field} {wrong[0].description}.", violations=wrong[:20])
    return model


def announced(model: Model, now: datetime, before: Model | None = None) -> Model:
    """What is to be shut down is deprecated from when that was said on, unless the row says since when."""
    if model.shutdown_at is None or model.deprecated_at is not None:
        return model
    since = before.deprecated_at if before and before.shutdown_at else None
    return replace(model, deprecated_at=min(since or now, model.shutdown_at))


def checked_rules(rules: ModelRules) -> ModelRules:
    """BadRules."""
    for field, patterns in (("granted", rules.granted or ()), ("allowed", rules.allowed or ())):
        if len(patterns) > MAX_PATTERNS:
            _refuse(field, f"must have at most {MAX_PATTERNS} names")
        for pattern in patterns:
            if not _is_name(pattern, stars=1):
                _refuse(field, f"{pattern[:MAX_WORD]!r} is neither a name nor a pattern with one *")
    if len(rules.regions) > MAX_REGIONS or not all(_is_word(region) for region in rules.regions):
        _refuse("regions", f"must be at most {MAX_REGIONS} short words, for example eu")
    if not 0 <= rules.max_cost_nano_usd_per_million <= MOST_COUNT:
        _refuse("max_cost_nano_usd_per_million", "must be 0 or more")
    return rules


def check_alias(alias: str, most: int, known: Sequence[str]) -> None:
    """BadRules. `known`: the aliases that are there."""
    if not _is_name(alias, stars=0):
        _refuse("alias", f"must have 1 to {MAX_NAME} visible ASCII characters, without a *")
    if alias not in known and len(known) >= most:
        _refuse("alias", f"cannot be added: a tenant has at most {most}")


def _wrong(model: Model, providers: Providers) -> Iterator[tuple[str, str]]:
    if not _is_name(model.name, stars=1):
        yield "name", f"must have 1 to {MAX_NAME} visible ASCII characters, at most one of them a *"
    if not 1 <= len(model.deployments) <= MAX_DEPLOYMENTS:
        yield "deployments", f"must be 1 to {MAX_DEPLOYMENTS}"
    if len({one.id for one in model.deployments}) < len(model.deployments):
        yield "deployments", "must differ in provider, upstream_model, base_url, region or credential_id"
    yield from _wrong_capabilities("capabilities", model.capabilities)
    for field in ("context_length", "max_output_tokens"):
        if not 0 <= getattr(model, field) <= MOST_TOKENS:
            yield field, "must be 0 or more"
    if model.price_key and not _is_name(model.price_key, stars=1):
        yield "price_key", f"must have at most {MAX_NAME} visible ASCII characters"
    yield from _wrong_dates(model)
    if len(model.tenants) > MAX_TENANTS:
        yield "tenant_ids", f"must be at most {MAX_TENANTS}"
    for number, deployment in enumerate(model.deployments):
        for field, description in _wrong_deployment(deployment, providers):
            yield f"deployments.{number}.{field}", description


def _wrong_dates(model: Model) -> Iterator[tuple[str, str]]:
    # RFC 9745 says so of the headers that tell them.
    if model.deprecated_at and model.shutdown_at and model.shutdown_at < model.deprecated_at:
        yield "shutdown_at", "must not be before deprecated_at"


def _wrong_deployment(deployment: Deployment, providers: Providers) -> Iterator[tuple[str, str]]:
    if deployment.provider not in providers.known:
        yield "provider", f"must be one of {', '.join(sorted(providers.known))}"
    elif deployment.provider in providers.without_address and not deployment.base_url:
        yield "base_url", f"is needed: {deployment.provider} has no address of its own"
    if not 1 <= len(deployment.upstream_model) <= MAX_UPSTREAM or not deployment.upstream_model.isprintable():
        yield "upstream_model", f"must have 1 to {MAX_UPSTREAM} printable characters"
    if deployment.base_url and not _is_address(deployment.base_url):
        yield "base_url", "must be an http or https address without user, query and fragment"
    if deployment.base_url and deployment.provider == "local":
        yield "base_url", "is not for the local engine, which this service runs: use compatible"
    for field in ("region", "api_version"):
        if getattr(deployment, field) and not _is_word(getattr(deployment, field)):
            yield field, f"must have at most {MAX_WORD} of a-z, 0-9, _ . -"
    yield from _wrong_capabilities("capabilities", deployment.capabilities)
    limits = deployment.limits
    for field, value, most in (
        ("priority", deployment.priority, MOST),
        ("weight", deployment.weight, MOST),
        ("context_length", deployment.context_length, MOST_TOKENS),
        ("cost_nano_usd_per_million", deployment.cost_nano_usd_per_million, MOST_COUNT),
        ("requests_per_minute", limits.requests_per_minute, MOST_COUNT),
        ("tokens_per_minute", limits.tokens_per_minute, MOST_COUNT),
        ("concurrent_requests", limits.concurrent_requests, MOST_TOKENS),
    ):
        if not 0 <= value <= most:
            yield field, f"must be 0 to {most}"


def _wrong_capabilities(field: str, told: Sequence[str]) -> Iterator[tuple[str, str]]:
    if unknown := sorted(set(told) - CAPABILITIES):
        yield field, f"has unknown ones: {', '.join(unknown)[:MAX_WORD]}; known are {', '.join(sorted(CAPABILITIES))}"


def _with_id(name: str, deployment: Deployment) -> Deployment:
    """What makes it the same deployment after a change of its row: what is remembered of it stays."""
    parts = ("provider", "upstream_model", "base_url", "region", "credential_id")
    place = "\0".join([name, *(getattr(deployment, part) for part in parts)])
    return replace(deployment, id=hashlib.sha256(place.encode()).hexdigest()[:24])


def _is_name(text: str, *, stars: int) -> bool:
    return bool(len(text) <= MAX_NAME and _NAME.fullmatch(text) and text.count(STAR) <= stars)


def _is_word(text: str) -> bool:
    return bool(len(text) <= MAX_WORD and _WORD.fullmatch(text))


def _is_address(text: str) -> bool:
    if len(text) > MAX_ADDRESS or not _NAME.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain


def _refuse(field: str, description: str) -> None:
    raise BadRules(f"{field} {description}.", violations=[Violation(field, description)])
