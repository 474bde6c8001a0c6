"""What a provider's failure means to a caller. Never passes on a key, an address or a stack trace of the provider."""

from collections.abc import Mapping
from typing import Any

import orjson

from chassis.errors import PlatformError
from llm_service.domain.errors import (
    ProviderBadAnswer,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
)

MAX_MESSAGE_CHARACTERS = 1000
REFUSED = frozenset({400, 404, 409, 413, 415, 422})
STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 403,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Of an error that comes without a status, by the names that OpenAI and Anthropic share."""


def error_of_status(status: int, headers: Mapping[str, str], body: bytes) -> PlatformError:
    """The error behind a status that is not 200."""
    if status in REFUSED:
        return _refused(status, _error_object(body))
    if status in (401, 403):
        return ProviderNotConfigured("The provider refuses the platform's key for this model.")
    if status in (408, 504):
        return ProviderTimeout()
    if status == 429:
        return ProviderRateLimited(retry_after=_retry_after(headers))
    if status >= 500:
        return ProviderUnavailable(retry_after=_retry_after(headers))
    return ProviderBadAnswer()


def error_of(told: Any) -> PlatformError:
    """The error that a provider sent inside a stream."""
    found = told if isinstance(told, dict) else {"message": str(told)}
    code = found.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else STATUSES.get(str(found.get("type")), 500)
    return error_of_status(status, {}, orjson.dumps({"error": found}))


def _error_object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    found = document.get("error", document) if isinstance(document, dict) else {}
    return found if isinstance(found, dict) else {"message": str(found)}


def _refused(status: int, told: Mapping[str, Any]) -> ProviderRefused:
    message = str(told.get("message") or "The provider refused the request.")[:MAX_MESSAGE_CHARACTERS]
    metadata = {"provider_status": str(status)}
    for name in ("param", "code", "type"):
        if isinstance(told.get(name), str):
            metadata[name] = told[name][:200]
    return ProviderRefused(message, metadata=metadata)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return min(3600.0, max(0.0, float(headers.get("Retry-After", ""))))
    except ValueError:
        return None
