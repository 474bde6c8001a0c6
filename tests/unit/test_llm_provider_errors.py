"""What providers say of errors, as they say it: whose fault it is, and what of it a client hears."""

from typing import Any

import orjson
import pytest

from llm_service.adapters.provider_errors import error_of, error_of_status

LIST = [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": "Extra inputs", "input": 1}]


@pytest.mark.parametrize(
    ("status", "body", "reason", "message"),
    [
        (400, {"error": {"message": "Bad.", "code": 400, "metadata": {"raw": "x"}}}, "PROVIDER_REFUSED", "Bad."),
        (422, {"object": "error", "message": {"detail": LIST}}, "PROVIDER_REFUSED", "Extra inputs"),
        (422, {"error": ["a", "b"], "error_type": "validation"}, "PROVIDER_REFUSED", "a; b"),
        (404, {"error": "There is none."}, "PROVIDER_REFUSED", "There is none."),
        (400, [{"error": {"code": 400, "message": "Bad.", "status": "X"}}], "PROVIDER_REFUSED", "Bad."),
    ],
)
def test_what_is_the_clients_fault_is_told_in_the_providers_words(
    status: int, body: Any, reason: str, message: str
) -> None:
    error = error_of_status(status, {}, orjson.dumps(body))
    assert (error.reason, error.message) == (reason, message)


def test_a_refusal_tells_which_field_and_what_was_written() -> None:
    assert error_of_status(422, {}, orjson.dumps({"message": {"detail": LIST}})).metadata["param"] == "x"
    wrong = {"message": "No call.", "type": "t", "code": "tool_use_failed", "failed_generation": "<f>"}
    told = orjson.loads(error_of_status(400, {}, orjson.dumps({"error": wrong})).metadata["told"])
    assert told == {key: value for key, value in wrong.items() if key != "message"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}),
        (400, {"type": "invalid_request_error", "code": "billing_hard_limit_reached", "message": "Limit reached."}),
        (403, {"type": "billing_error", "message": "Pay."}),
        (429, {"type": "insufficient_quota", "code": "insufficient_quota", "message": "You exceeded your quota."}),
        (402, {"message": "Insufficient Balance", "code": "invalid_request_error"}),
    ],
)
def test_an_account_without_money_is_no_fault_of_the_document(status: int, error: dict[str, Any]) -> None:
    found = error_of_status(status, {}, orjson.dumps({"error": error}))
    if status == 403:
        assert found.reason == "PROVIDER_NOT_CONFIGURED"
        return
    assert (found.reason, found.metadata) == ("PROVIDER_RATE_LIMITED", {"code": "insufficient_quota"})
    assert error["message"] not in found.message


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "Slow."}, "PROVIDER_RATE_LIMITED"),
        ({"type": "tokens", "code": "rate_limit_exceeded", "message": "Slow."}, "PROVIDER_RATE_LIMITED"),
        ({"type": "error", "code": "invalid_prompt", "message": "Bad."}, "PROVIDER_REFUSED"),
        ({"type": "error", "code": "image_too_large", "message": "Bad."}, "PROVIDER_REFUSED"),
        ({"type": "error", "code": "server_error", "message": "Ours."}, "PROVIDER_UNAVAILABLE"),
        ({"type": "server_error", "code": None, "message": "Ours."}, "PROVIDER_UNAVAILABLE"),
        ({"code": 502, "message": "Gone."}, "PROVIDER_UNAVAILABLE"),
        ("boom", "PROVIDER_UNAVAILABLE"),
    ],
)
def test_errors_in_streams(told: Any, reason: str) -> None:
    assert error_of(told).reason == reason
