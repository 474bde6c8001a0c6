"""What every part of the servicer translates."""

import re
from datetime import datetime

from chassis.context import current
from chassis.errors import Unauthenticated

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def tenant() -> str:
    """The caller's. Unauthenticated."""
    tenant_id = current().tenant_id
    if not tenant_id:
        raise Unauthenticated
    return tenant_id


def seconds_of(at: datetime | None) -> int:
    """Since 1970; 0: not known."""
    return int(at.timestamp()) if at else 0


def is_id(text: str) -> bool:
    """Whether a text can be an id at all."""
    return _UUID.fullmatch(text) is not None
