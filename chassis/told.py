"""What a provider's answer says of an error, whoever made its server: a message, and what of it a client may hear.

Never passes on a key, an address or a stack trace: of a refusal go on its words, the field it names, and what the
official clients look at.
"""

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

REFUSED = frozenset({400, 404, 409, 410, 413, 415, 422, 451})
"""Statuses by which a document is refused: its client's to see."""
MAX_MESSAGE_CHARACTERS = 1000
MAX_WORD_CHARACTERS = 200
MAX_TOLD_CHARACTERS = 2000
MAX_WAIT_SECONDS = 3600.0
NAMED = ("param", "code", "type")
INNER: dict[str, type] = {"innererror": dict, "failed_generation": str}
"""What else of a refusal is the client's: what Azure's filter found, and what Groq's model wrote that is no call."""
MESSAGES = ("message", "detail", "Message", "msg", "error_description")


def error_object(body: bytes, secret: str = "") -> dict[str, Any]:
    """What of a body tells of the error, in whatever way its server tells it; `message` is there if anything is.
    `secret`: the key by which it was asked, which a provider may repeat.
    """
    body = body.replace(secret.encode(), b"***") if secret else body
    try:
        # As leniently as the official clients read it.
        found = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode(errors="replace").strip()
        return {} if not text or text.startswith("<") else {"message": " ".join(text.split())}
    # Google's servers tell a list of one; watsonx has several under `errors`.
    found = found[0] if isinstance(found, list) and found else found
    if isinstance(found, dict):
        several = found.get("errors")
        found = found.get("error") or (several[0] if isinstance(several, list) and several else found)
    return found if isinstance(found, dict) else {"message": found if isinstance(found, list) else str(found)}


def refusal(status: int, told: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The message of an error object, and the metadata by which the gateway tells it as the provider did."""
    metadata = {"provider_status": str(status)}
    if place := _place_of(told):
        metadata["param"] = place
    for name in NAMED:
        if isinstance(told.get(name), str):
            metadata[name] = told[name][:MAX_WORD_CHARACTERS]
    if as_told := _as_told(told):
        metadata["told"] = as_told
    return _message_of(told), metadata


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


def _message_of(told: Mapping[str, Any]) -> str:
    detail = _first(told)
    if isinstance(detail, dict):
        # Mistral's: FastAPI's list inside.
        detail = _first(detail)
    if isinstance(detail, list):
        # FastAPI's: one entry a field.
        detail = "; ".join(str(item.get("msg", "") if isinstance(item, dict) else item) for item in detail[:5])
    message = str(detail or "The provider refused the request.")[:MAX_MESSAGE_CHARACTERS]
    # Half of a character cannot be told on.
    return message.encode(errors="replace").decode()


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
    """What a client sees as its provider has it (JSON): null and numbers, and the rest as far as it is not too long."""
    plain = {name: told[name] for name in NAMED if name in told and isinstance(told[name], str | int | None)}
    inner = {name: told[name] for name, kind in INNER.items() if isinstance(told.get(name), kind)}
    if inner and len(as_told := _dumped(plain | inner)) <= MAX_TOLD_CHARACTERS:
        return as_told
    as_told = _dumped(plain)
    return as_told if len(as_told) <= MAX_WORD_CHARACTERS else ""


def _dumped(found: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(found).decode()
    except orjson.JSONEncodeError:
        # Half of a character, or a number that is none of JSON's.
        return ""
