"""The removal of a deleted tenant from one service: what every service says of it. `erasure_wire` is its contract.

The auth service keeps what is to be removed and how far it is; the gateway, which calls every service anyway, carries
it out (docs/decisions/0008). What a service keeps of a tenant, it says by giving `App.erase` functions that remove it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from chassis import context
from chassis.errors import PermissionDenied

PURPOSE = "erase"
"""Of the context under which tenants are removed: no call of a client has one."""
SECONDS = 10.0
"""So long one call removes rows; the next goes on."""


class NotForErasure(PermissionDenied):
    reason = "NOT_FOR_ERASURE"
    message = "Only the platform itself removes tenants."


@dataclass(frozen=True, slots=True)
class Erased:
    """What one call removed, by what it is, and what is still waited for (empty if nothing is left)."""

    removed: Mapping[str, int] = field(default_factory=dict)
    waiting_for: str = ""


Erase = Callable[[str, str], Awaitable[Erased]]
"""(tenant id, deletion id): removes what there is of the tenant, as often as it is called."""


def together(*parts: Erase) -> Erase:
    """One after the other; it waits for whatever the first that waits does."""

    async def erase(tenant_id: str, deletion_id: str) -> Erased:
        removed: dict[str, int] = {}
        waiting = ""
        for part in parts:
            done = await part(tenant_id, deletion_id)
            for name, number in done.removed.items():
                removed[name] = removed.get(name, 0) + number
            waiting = waiting or done.waiting_for
        return Erased(removed, waiting)

    return erase


def require_purpose() -> context.RequestContext:
    """The context of a call that removes a tenant. NotForErasure for any other."""
    calling = context.current()
    if calling.purpose != PURPOSE:
        raise NotForErasure
    return calling
