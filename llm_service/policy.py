"""Decisions about calls without I/O: what a document may hold, where a model is, what an error means."""

from collections.abc import Mapping
from typing import Any, NoReturn

from chassis.document import BadDocument, read_object
from chassis.errors import PlatformError, Violation
from llm_service.domain import (
    Deployment,
    Model,
    ModelNotFound,
    ProviderBadAnswer,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    Tokens,
    Unsupported,
)

DECIDING = ("model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n")
"""Keys that decide: twice in one document, we and the provider might read different ones."""

MAX_DEPTH = 64
MAX_MESSAGES = 2048

LOCAL_FIELDS = frozenset(
    [
        "messages",
        "model",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "n",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "repeat_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "response_format",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
    ]
)
"""What reaches the local engine: its server takes fields that can harm it."""

LOCAL_IGNORED = frozenset(["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"])
"""What says nothing about the answer, and may be left out."""

PREFIXES = {"openai/": "openai", "hf/": "hf"}
"""Names that need no row in the catalogue: provider/NAME reaches that provider's NAME."""


def read_document(body: bytes) -> dict[str, Any]:
    """The document as an object. BadDocument if it is none, is not plain JSON, or decides something twice."""
    document = read_object(body, DECIDING)
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        _refuse("messages", "must be a list with at least one message")
    if len(messages) > MAX_MESSAGES:
        _refuse("messages", f"must have at most {MAX_MESSAGES} messages")
    if not all(isinstance(message, dict) for message in messages):
        _refuse("messages", "must hold objects")
    _check_depth(document)
    return document


def for_local(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of the document reaches the local engine. Unsupported names what it cannot do."""
    unknown = sorted(key for key in document if key not in LOCAL_FIELDS and key not in LOCAL_IGNORED)
    if unknown:
        names = ", ".join(key[:64] for key in unknown)
        violations = [Violation(key[:64], "is not supported by this model") for key in unknown]
        raise Unsupported(f"This model does not support: {names}.", violations=violations)
    for message in document["messages"]:
        content = message.get("content")
        if isinstance(content, list) and any(part.get("type") != "text" for part in content if isinstance(part, dict)):
            raise Unsupported("This model reads text only.", violations=[Violation("messages", "has other parts")])
    return {key: value for key, value in document.items() if key in LOCAL_FIELDS}


def resolve(models: Mapping[str, Model], name: str) -> Model:
    """The model of that name: a row of the catalogue, or a provider's prefix. ModelNotFound."""
    found = models.get(name)
    if found is not None:
        return found
    for prefix, provider in PREFIXES.items():
        upstream = name.removeprefix(prefix)
        if upstream != name and upstream:
            return Model(name, (Deployment(provider, upstream),))
    raise ModelNotFound(f"The model {name[:200]} does not exist.", metadata={"param": "model"})


def retryable(error: PlatformError) -> bool:
    """Whether another attempt at the same provider may succeed."""
    return isinstance(error, ProviderRateLimited | ProviderUnavailable | ProviderBadAnswer)


def falls_back(error: PlatformError) -> bool:
    """Whether another deployment may succeed where this one failed."""
    return retryable(error) or isinstance(error, ProviderTimeout) or error.reason in ("CIRCUIT_OPEN", "QUEUE_FULL")


def tokens_of(usage: Mapping[str, Any]) -> Tokens:
    """What a provider's usage object says."""
    details = usage.get("prompt_tokens_details") or {}
    return Tokens(
        input=int(usage.get("prompt_tokens") or 0),
        cached=int(details.get("cached_tokens") or 0),
        output=int(usage.get("completion_tokens") or 0),
    )


def estimate_tokens(text_bytes: int) -> int:
    """Tokens of a text whose provider did not count them: four bytes each, at least one."""
    return max(1, text_bytes // 4) if text_bytes else 0


def _refuse(field: str, description: str) -> NoReturn:
    raise BadDocument(f"{field} {description}.", metadata={"param": field}, violations=[Violation(field, description)])


def _check_depth(document: object) -> None:
    layer: list[object] = [document]
    for _ in range(MAX_DEPTH):
        layer = [
            child
            for item in layer
            for child in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
            if isinstance(child, dict | list)
        ]
        if not layer:
            return
    raise BadDocument(f"The body is nested more than {MAX_DEPTH} levels deep.")
