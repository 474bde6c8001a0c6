"""What a provider's failure means to a caller. Never passes on a key, an address or a stack trace of the provider."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from chassis.errors import PlatformError
from llm_service.domain.errors import (
    ProviderBadAnswer,
    ProviderKeyRefused,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
)

MAX_MESSAGE_CHARACTERS = 1000
MAX_WAIT_SECONDS = 3600.0
NO_MONEY_LEFT = "insufficient_quota"
"""OpenAI's code for a 429 that no waiting helps."""
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


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, *, own_key: bool = False) -> PlatformError:
    """The error behind a status that is not 200. `own_key`: it was asked with the tenant's key, not the platform's."""
    if status in REFUSED:
        return _refused(status, _error_object(body))
    if status in (401, 403):
        refused = "The provider refuses the platform's key for this model."
        return ProviderKeyRefused() if own_key else ProviderNotConfigured(refused)
    if status in (408, 504):
        return ProviderTimeout()
    if status == 429:
        without = _error_object(body).get("code") == NO_MONEY_LEFT
        metadata = {"code": NO_MONEY_LEFT} if without else {}
        return ProviderRateLimited(retry_after=retry_after(headers), metadata=metadata)
    return ProviderUnavailable(retry_after=retry_after(headers)) if status >= 500 else ProviderBadAnswer()


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


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a provider asks to wait: in seconds, in milliseconds, or until a date; at most an hour."""
    told = headers.get("Retry-After", "")
    try:
        if milliseconds := headers.get("Retry-After-Ms"):
            seconds = float(milliseconds) / 1000
        elif told and not told[0].isdigit():
            seconds = parsedate_to_datetime(told).timestamp() - time.time()
        else:
            seconds = float(told)
    except (ValueError, TypeError):
        return None
    return min(MAX_WAIT_SECONDS, max(0.0, seconds))
