"""Reading JSON documents of clients strictly: what two readers could understand differently is refused.

A key that decides and appears twice (we would read the last, a provider perhaps the first), NaN, lone surrogates.
"""

import json
from collections.abc import Collection
from functools import cache
from typing import Any

import orjson

from chassis.errors import InvalidArgument, Violation


class BadDocument(InvalidArgument):
    reason = "BAD_DOCUMENT"
    message = "The body is not a valid request."


def read_object(body: bytes, deciding: tuple[str, ...] = ()) -> dict[str, Any]:
    """The document as an object. BadDocument if it is none, is not plain JSON, or has a deciding key twice."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadDocument("The body is not valid JSON.") from error
    if not isinstance(document, dict):
        raise BadDocument("The body must be a JSON object.")
    # An escaped or repeated name is rare: only then is the document read a second, slower time.
    if b"\\u" in body or max(map(body.count, _quoted(deciding)), default=0) > 1:
        _refuse_doubles(body, deciding)
    return document


@cache
def _quoted(names: tuple[str, ...]) -> list[bytes]:
    return [b'"%b"' % name.encode() for name in names]


def _refuse_doubles(body: bytes, deciding: Collection[str]) -> None:
    keys: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> None:
        # Objects are told from the inside out: the last one is the document itself.
        keys[:] = [key for key, _ in pairs]

    try:
        json.loads(body, object_pairs_hook=collect)
    except RecursionError as error:
        raise BadDocument("The body is nested too deep.") from error
    for key in deciding:
        if keys.count(key) > 1:
            problem = [Violation(key, "is there twice")]
            raise BadDocument(f"{key} is there twice.", metadata={"param": key}, violations=problem)
