"""Errors as the public sees them: problem+json (RFC 9457) on the platform's routes, OpenAI's and Anthropic's formats on
the ecosystem's.

401 before any check of id or body; an invalid body is 400 on the ecosystem's routes and 422 on ours; 413 too large.
"""

import math
from http import HTTPStatus
from typing import Any

import orjson

from chassis.errors import (
    LASTING,
    Code,
    InvalidArgument,
    NotFound,
    PlatformError,
    Unavailable,
    Unimplemented,
    Violation,
)

Header = tuple[bytes, bytes]

ECOSYSTEM = "/v1/"
ANTHROPIC = "/v1/messages"
RESPONSES = "/v1/responses"
STATUS = {
    Code.INVALID_ARGUMENT: 400,
    Code.OUT_OF_RANGE: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INTERNAL: 500,
    Code.DATA_LOSS: 500,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}
BY_REASON = {
    "BODY_TOO_LARGE": 413,
    "DOCUMENT_TOO_LARGE": 413,
    "AUDIO_TOO_LARGE": 413,
    "HEADERS_TOO_LARGE": 431,
    "REQUEST_TOO_SLOW": 408,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "METHOD_NOT_ALLOWED": 405,
    "IDEMPOTENCY_MISMATCH": 422,
    # On a call of a model, what it cannot do is the caller's mistake.
    "UNSUPPORTED": 400,
    "TEXT_NOT_READY": 409,
    "INGESTION_ENDED": 409,
    "INGESTION_NOT_ENDED": 409,
    "PROVIDER_NOT_CONFIGURED": 503,
    "PROVIDER_BAD_ANSWER": 502,
}
PASSED_ON = frozenset(("404", "409", "410", "413", "415", "422", "451"))
"""Statuses by which a provider refuses what the client sent: they are the client's to see."""
ALWAYS_400 = frozenset(
    (
        "BAD_PARAMETER",
        "BAD_HTTP",
        "REPEATED_HEADER",
        "INVALID_CURSOR",
        "BAD_DATE_RANGE",
        "TWO_CREDENTIALS",
        "BAD_HOST",
        "BAD_IDEMPOTENCY_KEY",
    )
)
OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
OPENAI_CODES = {
    "MODEL_NOT_FOUND": "model_not_found",
    "RATE_LIMITED": "rate_limit_exceeded",
    "BAD_API_KEY": "invalid_api_key",
    "MISSING_CREDENTIALS": "invalid_api_key",
    "BAD_TOKEN": "invalid_api_key",
}


ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
OVERLOADED = 529
"""Anthropic's own status for what is 503 elsewhere."""


class BodyTooLarge(InvalidArgument):
    reason = "BODY_TOO_LARGE"
    message = "The body is larger than allowed."


class UnsupportedMediaType(InvalidArgument):
    reason = "UNSUPPORTED_MEDIA_TYPE"
    message = "The body is of a media type that this route does not take."


class BadBody(InvalidArgument):
    reason = "BAD_BODY"
    message = "The body is not valid."


class BadHost(InvalidArgument):
    reason = "BAD_HOST"
    message = "Exactly one Host header is needed."


class RepeatedHeader(InvalidArgument):
    reason = "REPEATED_HEADER"
    message = "A header that decides was sent twice."


class BadHttp(InvalidArgument):
    reason = "BAD_HTTP"
    message = "This is not a request of HTTP/1.1."


class HeadersTooLarge(InvalidArgument):
    reason = "HEADERS_TOO_LARGE"
    message = "The headers are too large or too many."


class RequestTooSlow(InvalidArgument):
    reason = "REQUEST_TOO_SLOW"
    message = "The request came too slowly."


class TooManyConnections(Unavailable):
    reason = "TOO_MANY_CONNECTIONS"
    message = "There are too many open connections; close some or try again."


class Draining(Unavailable):
    reason = "DRAINING"
    message = "This server is being restarted; send the request again."


class BadIdempotencyKey(InvalidArgument):
    reason = "BAD_IDEMPOTENCY_KEY"
    message = "An Idempotency-Key has 1 to 255 printable ASCII characters."


class RouteNotFound(NotFound):
    reason = "ROUTE_NOT_FOUND"
    message = "There is no such route."


class MethodNotAllowed(Unimplemented):
    reason = "METHOD_NOT_ALLOWED"
    message = "The route does not take this method."


def status_of(error: PlatformError, *, ecosystem: bool) -> int:
    """The HTTP status of an error."""
    if ecosystem and error.metadata.get("provider_status") in PASSED_ON:
        return int(error.metadata["provider_status"])
    if error.reason in BY_REASON:
        return BY_REASON[error.reason]
    if error.code is Code.INVALID_ARGUMENT and not ecosystem and error.reason not in ALWAYS_400:
        return 422
    return STATUS[error.code]


def render(error: PlatformError, path: str, request_id: str) -> tuple[int, list[Header], bytes]:
    """Status, headers and body of the answer that tells of an error, in the format of the route's family."""
    status, document = _told(error, path, request_id)
    media_type = b"application/json" if path.startswith(ECOSYSTEM) else b"application/problem+json"
    headers = [(b"content-type", media_type)]
    lasting = LASTING in error.metadata
    if lasting:
        headers.append((b"x-should-retry", b"false"))  # what the official SDKs ask before they try again
    if error.retry_after is not None or (status in (429, 503, OVERLOADED) and not lasting):
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after or 1))).encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, MethodNotAllowed) and "allow" in error.metadata:
        headers.append((b"allow", error.metadata["allow"].encode()))
    return status, headers, orjson.dumps(document)


def render_event(error: PlatformError, path: str, request_id: str, number: int = 0) -> bytes:
    """The event that ends a stream which failed after it began, in the format of the route's family.

    `number`: of the event, where events are numbered.
    """
    _, document = _told(error, path, request_id)
    if path == RESPONSES:
        document = {**document["error"], "type": "error", "sequence_number": number}
    name = b"" if path.startswith(ECOSYSTEM) and not path.startswith((ANTHROPIC, RESPONSES)) else b"event: error\n"
    return name + b"data: " + orjson.dumps(document) + b"\n\n"


def _told(error: PlatformError, path: str, request_id: str) -> tuple[int, dict[str, Any]]:
    """Status and document, by the route's family."""
    status = status_of(error, ecosystem=path.startswith(ECOSYSTEM))
    if path.startswith(ANTHROPIC):
        status = OVERLOADED if error.code is Code.UNAVAILABLE and status == 503 else status
        return status, anthropic_document(error, status, request_id)
    if path.startswith(ECOSYSTEM):
        return status, openai_document(error, status)
    return status, problem(error, status, request_id)


def problem(error: PlatformError, status: int, request_id: str) -> dict[str, Any]:
    """RFC 9457. `code` is the stable reason; `errors` the fields at fault."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase if status != 499 else "Client Closed Request",
        "status": status,
        "detail": error.message,
        "code": error.reason,
        "request_id": request_id,
    }
    if error.violations:
        document["errors"] = [{"field": item.field, "message": item.description} for item in error.violations]
    if error.reason == "RATE_LIMITED":
        document |= {key: error.metadata[key] for key in ("limit", "scope", "remaining") if key in error.metadata}
    return document


def openai_document(error: PlatformError, status: int) -> dict[str, Any]:
    """OpenAI's error object; its SDKs make their typed exceptions of status and code."""
    param = error.metadata.get("param") or (error.violations[0].field if error.violations else None)
    code = error.metadata.get("code") or OPENAI_CODES.get(error.reason) or error.reason.lower()
    other = "api_error" if status >= 500 else "invalid_request_error"
    kind = error.metadata.get("type") or OPENAI_TYPES.get(status, other)
    document = {"message": error.message, "type": kind, "param": param, "code": code}
    if told := error.metadata.get("told"):
        # As the provider has it, null and numbers included.
        document |= orjson.loads(told)
    return {"error": document}


def anthropic_document(error: PlatformError, status: int, request_id: str) -> dict[str, Any]:
    """Anthropic's error object; the field at fault stands in the message, as there."""
    kind = ANTHROPIC_TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": request_id}


def bad_body(problems: list[Any]) -> BadBody:
    """The error of a body or a query that does not fit its model (pydantic's list)."""
    violations = [
        Violation(".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]), _wording(item))
        for item in problems[:20]
    ]
    return BadBody(f"{violations[0].field}: {violations[0].description}.", violations=violations)


def _wording(problem: Any) -> str:
    """What pydantic says, except where it says it in a pattern."""
    if problem.get("ctx", {}).get("pattern") == r"\S":
        return "must not be empty"
    return str(problem["msg"]).removeprefix("Value error, ")[:300]
