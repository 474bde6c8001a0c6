"""What a provider's failure means to a caller. Never passes on a key, an address or a stack trace of the provider."""

import re
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
from llm_service.policy.answers import read_answer

MAX_MESSAGE_CHARACTERS = 1000
MAX_WORD_CHARACTERS = 200
MAX_TOLD_CHARACTERS = 2000
NAMED = ("param", "code", "type")
INNER: dict[str, type] = {"innererror": dict, "failed_generation": str}
"""What else of a refusal is the client's: what Azure's filter found, and what Groq's model wrote that is no call."""
MESSAGES = ("message", "detail", "Message", "msg", "error_description")
MAX_WAIT_SECONDS = 3600.0
TOO_LONG = "exceed_context_size_error"
"""llama.cpp's word for what OpenAI's clients know as context_length_exceeded."""
_SIZES = re.compile(r"\((\d+) tokens\)")
NO_MONEY_LEFT = "insufficient_quota"
"""OpenAI's code for a 429 that no waiting helps."""
UNPAID_WORDS = ("billing_error", "billing_hard_limit_reached", "billing_not_active", NO_MONEY_LEFT)
UNPAID_TEXT = "credit balance is too low"
"""How providers say with another status than 402 that the account's money is used up: no fault of the document's."""
REFUSED = frozenset({400, 404, 409, 410, 413, 415, 422, 451})
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
    if status in REFUSED and not _is_unpaid(told := _error_object(body)):
        return _refused(status, told)
    if status in (401, 403):
        refused = "The provider refuses the platform's key for this model."
        return ProviderKeyRefused() if own_key else ProviderNotConfigured(refused)
    if status in TIMED_OUT:
        return ProviderTimeout()
    if status in (429, UNPAID) or status in REFUSED:
        without = status != 429 or _is_unpaid(_error_object(body))
        metadata = {"code": NO_MONEY_LEFT} if without else {}
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
    return error_of_status(status, {}, orjson.dumps({"error": found}))


def _status_of_code(code: str) -> int:
    return CODES.get(code) or (400 if code.startswith(CODES_OF_DOCUMENTS) else 500)


def _is_unpaid(told: Mapping[str, Any]) -> bool:
    """Whether the account that the provider knows has no money left: the platform's, or a tenant's own."""
    words = (told.get("type"), told.get("code"))
    return any(word in UNPAID_WORDS for word in words) or UNPAID_TEXT in str(told.get("message"))


def _error_object(body: bytes) -> dict[str, Any]:
    """What of a body tells of the error, in whatever way its server tells it; `message` is there if anything is."""
    try:
        found = read_answer(body)
    except ValueError:
        text = body.decode(errors="replace").strip()
        return {} if not text or text.startswith("<") else {"message": " ".join(text.split())}
    # Google's servers tell a list of one; watsonx has several under `errors`.
    found = found[0] if isinstance(found, list) and found else found
    if isinstance(found, dict):
        several = found.get("errors")
        found = found.get("error") or (several[0] if isinstance(several, list) and several else found)
    return found if isinstance(found, dict) else {"message": found if isinstance(found, list) else str(found)}


def _message_of(told: Mapping[str, Any]) -> str:
    detail = _first(told)
    if isinstance(detail, dict):
        # Mistral's: FastAPI's list inside.
        detail = _first(detail)
    if isinstance(detail, list):
        # FastAPI's: one entry a field.
        detail = "; ".join(str(item.get("msg", "") if isinstance(item, dict) else item) for item in detail[:5])
    return str(detail or "The provider refused the request.")[:MAX_MESSAGE_CHARACTERS]


def _first(told: Mapping[str, Any]) -> Any:
    return next((told[name] for name in MESSAGES if told.get(name)), "")


def _place_of(told: Mapping[str, Any]) -> str:
    """The field that FastAPI's list names first."""
    inner = told.get("message")
    detail = (inner if isinstance(inner, dict) else told).get("detail")
    first = detail[0] if isinstance(detail, list) and detail else None
    places = first.get("loc") if isinstance(first, dict) else None
    named = [str(place) for place in places if place != "body"] if isinstance(places, list) else []
    return ".".join(named)[:MAX_WORD_CHARACTERS]


def _as_told(told: Mapping[str, Any]) -> str:
    """What a client sees as its provider has it (JSON): null and numbers, and what Azure says of its filter, as far as
    it is not too long.
    """
    plain = {name: told[name] for name in NAMED if name in told and isinstance(told[name], str | int | None)}
    inner = {name: told[name] for name, kind in INNER.items() if isinstance(told.get(name), kind)}
    if inner and len(as_told := orjson.dumps(plain | inner).decode()) <= MAX_TOLD_CHARACTERS:
        return as_told
    as_told = orjson.dumps(plain).decode()
    return as_told if len(as_told) <= MAX_WORD_CHARACTERS else ""


def _refused(status: int, told: Mapping[str, Any]) -> ProviderRefused:
    metadata = {"provider_status": str(status)}
    if place := _place_of(told):
        metadata["param"] = place
    for name in NAMED:
        if isinstance(told.get(name), str):
            metadata[name] = told[name][:MAX_WORD_CHARACTERS]
    if as_told := _as_told(told):
        metadata["told"] = as_told
    return ProviderRefused(_message_of(told), metadata=metadata)


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
