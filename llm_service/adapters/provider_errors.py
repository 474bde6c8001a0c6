"""What a provider's failure means to a caller. Never passes on a key, an address or a stack trace of the provider."""

import re
from collections.abc import Mapping
from typing import Any

from chassis.errors import PlatformError
from chassis.told import REFUSED, error_object, refusal, retry_after
from llm_service.domain.errors import (
    ProviderBadAnswer,
    ProviderKeyRefused,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
)

TOO_LONG = "exceed_context_size_error"
"""llama.cpp's word for what OpenAI's clients know as context_length_exceeded."""
_SIZES = re.compile(r"\((\d+) tokens\)")
NO_MONEY_LEFT = "insufficient_quota"
"""OpenAI's code for a 429 that no waiting helps."""
UNPAID_WORDS = ("billing_error", "billing_hard_limit_reached", "billing_not_active", NO_MONEY_LEFT)
UNPAID_TEXT = "credit balance is too low"
"""How providers say with another status than 402 that the account's money is used up: no fault of the document's."""
UNPAID = 402
TIMED_OUT = frozenset({408, 504, 524})
OVERLOADED = frozenset({424, 425})
"""As 5xx: text-generation-inference says 424 of its own failures."""
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
CODES = {"rate_limit_exceeded": 429, NO_MONEY_LEFT: 429, "context_length_exceeded": 400, "content_filter": 400}
CODES_OF_DOCUMENTS = ("invalid_", "image_", "unsupported_", "empty_image")
"""Likewise by its code, which is all that an event of responses has; and how those begin that are the document's fault.
"""


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, *, own_key: bool = False) -> PlatformError:
    """The error behind a status that is not 200. `own_key`: it was asked with the tenant's key, not the platform's."""
    return _judged(status, headers, error_object(body), own_key=own_key)


def _judged(status: int, headers: Mapping[str, str], told: Mapping[str, Any], *, own_key: bool) -> PlatformError:
    unpaid = _is_unpaid(told)
    if status in REFUSED and not unpaid:
        message, metadata = refusal(status, told)
        return ProviderRefused(message, metadata=metadata)
    if status in (401, 403):
        refused = "The provider refuses the platform's key for this model."
        return ProviderKeyRefused() if own_key else ProviderNotConfigured(refused)
    if status in TIMED_OUT:
        return ProviderTimeout()
    if status in (429, UNPAID) or status in REFUSED:
        metadata = {"code": NO_MONEY_LEFT} if unpaid or status == UNPAID else {}
        return ProviderRateLimited(retry_after=retry_after(headers), metadata=metadata)
    if status >= 500 or status in OVERLOADED:
        return ProviderUnavailable(retry_after=retry_after(headers))
    return ProviderBadAnswer()


def error_of_engine(error: PlatformError) -> PlatformError:
    """What our own engine refuses, by the codes that OpenAI's clients know."""
    if error.metadata.get("type") != TOO_LONG:
        return error
    sizes = _SIZES.findall(error.message)
    message = error.message
    if len(sizes) == 2:
        asked, most = sizes
        message = f"The prompt is too long: {asked} tokens, and this model's maximum context length is {most} tokens."
    metadata = {name: value for name, value in error.metadata.items() if name not in ("told", "type")}
    return ProviderRefused(message, metadata=metadata | {"code": "context_length_exceeded"})


def error_of(told: Any) -> PlatformError:
    """The error that a provider sent inside a stream."""
    found = told if isinstance(told, dict) else {"message": str(told)}
    numbers = (found.get(name) for name in ("code", "http_status_code", "status_code", "status"))
    status = next((number for number in numbers if isinstance(number, int) and 400 <= number < 600), 0)
    status = status or STATUSES.get(str(found.get("type"))) or _status_of_code(str(found.get("code")))
    return _judged(status, {}, found, own_key=False)


def _status_of_code(code: str) -> int:
    return CODES.get(code) or (400 if code.startswith(CODES_OF_DOCUMENTS) else 500)


def _is_unpaid(told: Mapping[str, Any]) -> bool:
    """Whether the account that the provider knows has no money left: the platform's, or a tenant's own."""
    words = (told.get("type"), told.get("code"))
    return any(word in UNPAID_WORDS for word in words) or UNPAID_TEXT in str(told.get("message"))
