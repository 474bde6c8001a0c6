"""Errors as the public sees them: one tree, two formats, the right status and headers."""

import inspect
import json
from http import HTTPStatus
from typing import Any

import pytest

from chassis import errors as chassis_errors
from chassis.errors import (
    LASTING,
    AlreadyExists,
    Code,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PlatformError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Violation,
)
from gateway import errors
from gateway.errors import BY_REASON, STATUS, render, render_event, status_of

OURS, THEIRS = "/api/v1/usage/summary", "/v1/chat/completions"


def rendered(error: PlatformError, path: str) -> tuple[int, dict[str, str], Any]:
    status, headers, body = render(error, path, "request-1")
    return status, {name.decode(): value.decode() for name, value in headers}, json.loads(body)


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(Code)


@pytest.mark.parametrize(
    ("error", "ours", "theirs"),
    [
        (InvalidArgument("x"), 422, 400),
        (FailedPrecondition("x"), 400, 400),
        (Unauthenticated("x"), 401, 401),
        (PermissionDenied("x"), 403, 403),
        (NotFound("x"), 404, 404),
        (AlreadyExists("x"), 409, 409),
        (ResourceExhausted("x"), 429, 429),
        (Internal("x"), 500, 500),
        (Unavailable("x"), 503, 503),
        (DeadlineExceeded("x"), 504, 504),
        (errors.BodyTooLarge(), 413, 413),
        (errors.UnsupportedMediaType(), 415, 415),
        (errors.MethodNotAllowed(), 405, 405),
        (errors.HeadersTooLarge(), 431, 431),
        (errors.RequestTooSlow(), 408, 408),
        (errors.BadHost(), 400, 400),
    ],
)
def test_the_status_depends_on_the_family(error: PlatformError, ours: int, theirs: int) -> None:
    assert status_of(error, ecosystem=False) == ours
    assert status_of(error, ecosystem=True) == theirs


def test_a_problem_tells_code_request_and_fields() -> None:
    error = errors.BadBody("name: too long.", violations=[Violation("name", "too long")])
    status, headers, document = rendered(error, OURS)
    assert headers["content-type"] == "application/problem+json"
    assert document == {
        "type": "about:blank",
        "title": HTTPStatus(422).phrase,
        "status": 422,
        "detail": "name: too long.",
        "code": "BAD_BODY",
        "request_id": "request-1",
        "errors": [{"field": "name", "message": "too long"}],
    }
    assert status == 422


def test_openais_error_has_its_four_keys() -> None:
    error = NotFound("There is no model x.", metadata={"param": "model"})
    error.reason = "MODEL_NOT_FOUND"
    _status, headers, document = rendered(error, THEIRS)
    assert headers["content-type"] == "application/json"
    assert document == {
        "error": {
            "message": "There is no model x.", "type": "not_found_error", "param": "model", "code": "model_not_found",
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InvalidArgument("x"), 400, "invalid_request_error"),
        (InvalidArgument("x", metadata={"provider_status": "404"}), 404, "not_found_error"),
        (InvalidArgument("x", metadata={"provider_status": "500"}), 400, "invalid_request_error"),
        (Unauthenticated("x"), 401, "authentication_error"),
        (PermissionDenied("x"), 403, "permission_error"),
        (NotFound("x"), 404, "not_found_error"),
        (AlreadyExists("x"), 409, "conflict_error"),
        (errors.BodyTooLarge(), 413, "request_too_large"),
        (ResourceExhausted("x"), 429, "rate_limit_error"),
        (Internal("x"), 500, "api_error"),
        (DeadlineExceeded("x"), 504, "timeout_error"),
        (Unavailable("x"), 529, "overloaded_error"),
    ],
)
def test_anthropics_error_has_its_type_by_status(error: PlatformError, status: int, kind: str) -> None:
    found, _headers, document = rendered(error, "/v1/messages")
    assert found == status
    expected = {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": "request-1"}
    assert document == expected
    name, data, *_ = render_event(error, "/v1/messages/count_tokens", "request-1").split(b"\n")
    assert (name, json.loads(data.removeprefix(b"data: "))) == (b"event: error", expected)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ResourceExhausted("x"), "1"),
        (ResourceExhausted("x", retry_after=0.2), "1"),
        (ResourceExhausted("x", retry_after=29.1), "30"),
        (Unavailable("x"), "1"),
        (NotFound("x"), None),
        (ResourceExhausted("x", metadata={LASTING: "true"}), None),
    ],
)
@pytest.mark.parametrize("path", [OURS, THEIRS, "/v1/messages"])
def test_when_to_come_back(error: PlatformError, expected: str | None, path: str) -> None:
    headers = rendered(error, path)[1]
    assert headers.get("retry-after") == expected
    # Official SDKs try again unless they are told that it is for nothing.
    assert headers.get("x-should-retry") == ("false" if LASTING in error.metadata else None)


def test_a_401_says_how_to_authenticate() -> None:
    assert rendered(Unauthenticated("x"), OURS)[1]["www-authenticate"] == "Bearer"


def test_text_in_an_error_cannot_forge_an_event() -> None:
    error = Unavailable("line\n\nevent: done\ndata: {}\n\n")
    for path in (OURS, THEIRS, "/v1/messages"):
        event = render_event(error, path, "1")
        assert event.count(b"\n\n") == 1
        assert event.endswith(b"\n\n")


def test_every_error_of_the_gateway_says_something() -> None:
    for module in (errors, chassis_errors):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, PlatformError) and kind.__module__ == "gateway.errors":
                assert kind.message.endswith(".")
                assert kind.reason.isupper()


def test_reasons_with_a_status_of_their_own_are_no_typing_errors() -> None:
    assert all(reason.replace("_", "").isalpha() and reason.isupper() for reason in BY_REASON)
