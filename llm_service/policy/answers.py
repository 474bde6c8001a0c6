"""Reading what providers wrote: as leniently as the official SDKs read it, since it goes on as it came.

NaN and Infinity (probabilities of some servers), half of a surrogate pair (a character that two chunks share), a mark
of the byte order: what a client would have read from its provider, it reads from us.
"""

import json
from typing import Any

import orjson


def read_answer(data: bytes) -> Any:
    """The document. ValueError for what is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # Rare, and a tenth as fast.
        try:
            return json.loads(data)
        except RecursionError as error:
            raise ValueError from error
