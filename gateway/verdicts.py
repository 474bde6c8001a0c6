"""Verdicts on credentials, kept in bounded memory and forgotten by what they depend on."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from chassis.errors import PermissionDenied

Network = IPv4Network | IPv6Network


class ScopeMissing(PermissionDenied):
    reason = "SCOPE_MISSING"


class ModelNotAllowed(PermissionDenied):
    reason = "MODEL_NOT_ALLOWED"
    message = "This API key may not use this model."


class AddressNotAllowed(PermissionDenied):
    reason = "ADDRESS_NOT_ALLOWED"
    message = "This API key may not be used from here."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what the meter needs to know of them."""

    tenant_id: str
    user_id: str
    key_id: str = ""
    session_id: str = ""
    scopes: frozenset[str] = frozenset()
    operator: bool = False
    plan: str = "free"
    tenant_version: int = 0
    key_version: int = 0
    key_limits: Mapping[str, int] = field(default_factory=dict)
    models: frozenset[str] = frozenset()
    """The only ones that a key may use; none: any."""
    networks: tuple[Network, ...] = ()
    """The only ones that a key may be used from; none: any."""
    answer_cache_seconds: int = 0
    """For which answers to the key are kept and given again, where the request does not say."""

    def require(self, scope: str) -> None:
        """Raises ScopeMissing unless the caller has the scope."""
        if scope not in self.scopes:
            raise ScopeMissing(f"This needs the scope {scope}.", metadata={"scope": scope})

    def require_model(self, model: str, *, chosen: bool) -> None:
        """Raises ModelNotAllowed unless the caller may use the model.

        `chosen`: whether it can be named, so that one which the platform would choose has to be.
        """
        if not self.models or model in self.models or not (model or chosen):
            return
        allowed = ", ".join(sorted(self.models))[:500]
        raise ModelNotAllowed(f"This API key may only use these models: {allowed}.", metadata={"param": "model"})

    def require_address(self, address: str) -> None:
        """Raises AddressNotAllowed unless the caller may call from there."""
        if self.networks:
            found = _parsed(address)
            if found is None or not any(found in network for network in self.networks):
                raise AddressNotAllowed


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A caller, and the Unix time when the verdict ends by itself."""

    caller: Caller
    until: float

    @property
    def subjects(self) -> Iterable[str]:
        """The ids of what it depends on."""
        caller = self.caller
        return filter(None, (caller.tenant_id, caller.user_id, caller.key_id, caller.session_id))


class Verdicts:
    """The least recently used verdict goes first."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._values: OrderedDict[bytes, Verdict] = OrderedDict()
        self._names: dict[str, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: bytes) -> Verdict | None:
        """The verdict on the credential of that name (its hash), if there is one."""
        verdict = self._values.get(name)
        if verdict is not None:
            self._values.move_to_end(name)
        return verdict

    def put(self, name: bytes, verdict: Verdict) -> None:
        """Keeps a verdict."""
        self._drop(name)
        self._values[name] = verdict
        for subject in verdict.subjects:
            self._names.setdefault(subject, set()).add(name)
        if len(self._values) > self._entries:
            self._drop(next(iter(self._values)))

    def forget(self, subject: str) -> None:
        """Drops what depends on a tenant, user, key or session."""
        for name in list(self._names.get(subject, ())):
            self._drop(name)

    def clear(self) -> None:
        """Drops all."""
        self._values.clear()
        self._names.clear()

    def _drop(self, name: bytes) -> None:
        verdict = self._values.pop(name, None)
        if verdict is None:
            return
        for subject in verdict.subjects:
            names = self._names[subject]
            names.discard(name)
            if not names:
                del self._names[subject]


class Marks:
    """When something happened, by id; bounded. `lost`: the newest time that was forgotten for want of room."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._times: OrderedDict[Hashable, float] = OrderedDict()
        self.lost = 0.0

    def set(self, name: Hashable, at: float) -> None:
        """It happened (again)."""
        self._times[name] = at
        self._times.move_to_end(name)
        if len(self._times) > self._entries:
            self.lost = max(self.lost, self._times.popitem(last=False)[1])

    def get(self, name: Hashable) -> float:
        """When it did; 0 if that is not known."""
        return self._times.get(name, 0.0)
