"""What the raw routes share: reading a bounded body, keys that decide, answering."""

from typing import Any

from chassis.errors import Violation
from gateway.edge import Message, Receive, Scope, Send
from gateway.errors import BadBody, BodyTooLarge, UnsupportedMediaType


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """As `read_bytes`. UnsupportedMediaType for what is not JSON."""
    media_type = _header(scope, b"content-type").split(b";")[0].strip().lower()
    if media_type not in (b"", b"application/json"):
        raise UnsupportedMediaType("The body must be application/json.")
    body = await read_bytes(scope, receive, most)
    if body[:1] != b"{" and (coding := _header(scope, b"content-encoding")) not in (b"", b"identity"):
        name = coding.decode("latin-1")[:32]
        raise UnsupportedMediaType(f"The body must not be compressed (Content-Encoding: {name}).")
    return body


async def read_bytes(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body, whatever it is. BodyTooLarge, as soon as it is known."""
    declared = _header(scope, b"content-length")
    if declared.isdigit() and int(declared) > most:
        raise BodyTooLarge(f"The body is larger than {most} bytes.")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadBody("The client went away.")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise BodyTooLarge(f"The body is larger than {most} bytes.")
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def text_key(document: dict[str, Any], key: str, most: int) -> str:
    """A key that must be a text of 1 to `most` characters."""
    value = document.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise wrong(key, f"must be a text of 1 to {most} characters")
    return value


def count_key(document: dict[str, Any], key: str, least: int = 1) -> int | None:
    """A key that must be a whole number from `least` to 2^31, or absent."""
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**31:
        raise wrong(key, f"must be a whole number, {least} or more")
    return value


def listed_header(scope: Scope, name: bytes, most: int, characters: int) -> list[str]:
    """The values of a header that is a list. BadBody beyond `most` values, or where one is longer than `characters`."""
    given = [line for key, line in scope["headers"] if key == name]
    if not given:
        return []
    lines = b",".join(given).decode("latin-1")
    values = [value for value in map(str.strip, lines.split(",")) if value]
    if len(values) > most or any(len(value) > characters or not value.isascii() for value in values):
        raise wrong(name.decode(), f"may have {most} values of {characters} characters of ASCII")
    return values


def bound_key(document: dict[str, Any], key: str) -> int | None:
    """A key that bounds what is written, or None. What 0 means is the provider's to say: here it bounds nothing."""
    return count_key(document, key, 0) or None


def flag_key(document: dict[str, Any], key: str) -> bool:
    """A key that must be true or false, or absent."""
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise wrong(key, "must be true or false")
    return bool(value)


def wrong(key: str, description: str) -> BadBody:
    """The error of one key."""
    return BadBody(f"{key} {description}.", metadata={"param": key}, violations=[Violation(key, description)])


async def answer(scope: Scope, send: Send, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Answers 200 with JSON: in one go where nothing stands between the route and the edge."""
    head = [(b"content-type", b"application/json"), *headers]
    exchange = scope["state"].get("exchange")
    if exchange is not None:
        await exchange.answer(200, head, body)
        return
    await send(
        {"type": "http.response.start", "status": 200, "headers": [*head, (b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


async def begin_stream(send: Send, headers: list[tuple[bytes, bytes]]) -> None:
    """Begins to answer 200 with an event stream."""
    head = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": head})


def part(body: bytes, *, more: bool = True) -> Message:
    """A part of a streamed answer."""
    return {"type": "http.response.body", "body": body, "more_body": more}


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""
