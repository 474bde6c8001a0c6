"""What an answer says of its model's end: RFC 9745 (Deprecation) and RFC 8594 (Sunset)."""

from email.utils import formatdate
from typing import Any

from gateway.errors import Header


def retirement_headers(served: Any) -> list[Header]:
    """None of a model that stays. `served`: a pb.ServedBy."""
    headers: list[Header] = []
    if served.deprecation_time_seconds:
        headers.append((b"deprecation", b"@%d" % served.deprecation_time_seconds))
    if served.shutdown_time_seconds:
        headers.append((b"sunset", formatdate(served.shutdown_time_seconds, usegmt=True).encode()))
    return headers
