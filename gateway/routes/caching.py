"""The cache of answers on HTTP: `x-aisp-cache: max-age=SECONDS` (or `on`) asks for it, `refresh` makes the answer anew.
An API key can ask for all its requests; `off` takes one of them out.

An answer out of the cache says `x-aisp-cache: hit`, and its `Age`.
"""

import re
from typing import Any

from aisp.llm.v1 import llm_service_pb2 as pb

from chassis.errors import Violation
from gateway.edge import Scope
from gateway.errors import BadBody, Header

HEADER = b"x-aisp-cache"
DEFAULT_SECONDS = 3600
_WISH = re.compile(rb"(?:(on|refresh)|(refresh), ?max-age=(\d{1,9})|max-age=(\d{1,9}))", re.IGNORECASE)


def cache_wish(scope: Scope, usual: int) -> pb.Caching | None:
    """What the request asks of the cache; None if nothing. `usual`: seconds that its key asks for. BadBody."""
    value = next((value.strip() for name, value in scope["headers"] if name == HEADER), None)
    if value is None:
        return pb.Caching(max_age_seconds=usual) if usual else None
    if value.lower() == b"off":
        return None
    wish = _WISH.fullmatch(value)
    seconds = int((wish[3] or wish[4] or usual or DEFAULT_SECONDS) if wish else 0)
    if wish is None or not 1 <= seconds < 2**31:
        description = "must be off, on, refresh, max-age=SECONDS, or refresh, max-age=SECONDS"
        problem = [Violation("x-aisp-cache", description)]
        raise BadBody(f"x-aisp-cache {description}.", metadata={"param": "x-aisp-cache"}, violations=problem)
    return pb.Caching(max_age_seconds=seconds, refresh=bool(wish[2]) or (wish[1] or b"").lower() == b"refresh")


def cache_headers(answered: Any) -> list[Header]:
    """What the answer tells of the cache, out of a Started or a Completion."""
    if answered.HasField("age_seconds"):
        return [(HEADER, b"hit"), (b"age", str(answered.age_seconds).encode())]
    return []
