"""Changing one member of a JSON object, and no other byte of it: what is not decided on passes as it came.

Decoding and encoding would not keep numbers beyond 64 bits, nor how a number or a text was written.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]')
_TEXT_VALUE = re.compile(rb'\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")')


def with_member(body: bytes, document: dict[str, Any], key: str, value: bytes) -> bytes:
    """The object with one member set. `document` is what `body` says; `value` is JSON."""
    if key not in document:
        begin = body.index(b"{") + 1
        return b"%b%b:%b%b%b" % (body[:begin], orjson.dumps(key), value, b"," if document else b"", body[begin:])
    begin, end = _value_span(body, document, key)
    return body[:begin] + value + body[end:]


def member_of(body: bytes, key: str) -> bytes:
    """The value of one member, which it has, as it is written."""
    begin, end = next((begin, end) for found_name, _, begin, end in _members(body) if found_name == key)
    return body[begin:end]


def without_member(body: bytes, key: str) -> bytes:
    """The object without one member, which it has."""
    spans = list(_members(body))
    index = next(index for index, (name, *_) in enumerate(spans) if name == key)
    _, begin, _, end = spans[index]
    if index + 1 < len(spans):
        end = spans[index + 1][1]
    elif index:
        begin = spans[index - 1][3]
    return body[:begin] + body[end:]


def _value_span(body: bytes, document: dict[str, Any], key: str) -> tuple[int, int]:
    name = b'"%b"' % key.encode()
    # A name that is there once and could not be written otherwise is the member's: no need to look at the rest.
    if isinstance(document[key], str) and body.count(name) == 1 and b"\\u" not in body:
        found = _TEXT_VALUE.match(body, body.index(name) + len(name))
        if found:
            return found.span(1)
    return next((begin, end) for found_name, _, begin, end in _members(body) if found_name == key)


def _members(body: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Of each member of the outermost object: its name, where the name begins, where its value begins and ends."""
    depth, name, begin, value = 0, b"", 0, 0
    for token in _TOKENS.finditer(body):
        mark = token[0]
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
        if depth > 1 or (depth == 1 and mark in (b"}", b"]", b"{", b"[")):
            continue
        if mark == b":":
            value = _behind_space(body, token.end())
        elif mark in (b",", b"}"):
            if value:
                yield orjson.loads(name), begin, value, _before_space(body, token.start())
            name, value = b"", 0
        elif not value and mark.startswith(b'"'):
            name, begin = mark, token.start()


def _behind_space(body: bytes, position: int) -> int:
    while body[position : position + 1].isspace():
        position += 1
    return position


def _before_space(body: bytes, position: int) -> int:
    while body[position - 1 : position].isspace():
        position -= 1
    return position
