"""The signed request context: who calls, for which tenant, under which request id. It travels as gRPC metadata.

Owns its encoding, its signature and the contextvar that holds it during a call. It decides nothing about rights.
The value of `aisp-context-bin` is a 32-byte HMAC-SHA-256 followed by JSON. The key is derived per caller and callee,
so a process that was taken over can speak for nobody else; audience, method, issue time and expiry are inside.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.errors import Internal, PermissionDenied, Unauthenticated

METADATA_KEY = "aisp-context-bin"
MAX_BYTES = 2048
LIFETIME_SECONDS = 30
CLOCK_SKEW_SECONDS = 5
_MAC_BYTES = hashlib.sha256().digest_size


class BadContext(Unauthenticated):
    reason = "BAD_CONTEXT"
    message = "The call carries no valid request context."


class MissingKey(ValueError):
    """The process lacks a wire key that it cannot work without; the text is one clear sentence."""


class OperatorOnly(PermissionDenied):
    reason = "OPERATOR_ONLY"
    message = "Only an operator may do this."


class RequestContext(NamedTuple):
    """Who calls. Empty strings mean: none (a registration has no tenant, a user's call no key)."""

    request_id: str
    tenant_id: str = ""
    user_id: str = ""
    key_id: str = ""
    session_id: str = ""
    scopes: tuple[str, ...] = ()
    operator: bool = False
    address: str = ""
    """The client's network address, for the audit log."""
    lease_id: str = ""
    """The meter's lease under which the call was admitted."""
    idempotency_key: str = ""
    fingerprint: str = ""
    """Hash of method, path and body; with the key it names the answer to replay."""
    purpose: str = ""
    job_id: str = ""
    """Set in a delegated context: why work goes on behind a request, and the job that does it."""

    def for_job(self, job_id: str, purpose: str) -> "RequestContext":
        """The context that a job acts under after the request is gone."""
        return self._replace(job_id=job_id, purpose=purpose, lease_id="", idempotency_key="", fingerprint="")

    def unkeyed(self) -> "RequestContext":
        """The context that a call's own calls are made under: what they answer is not what its client asked for."""
        return self._replace(idempotency_key="", fingerprint="")

    def require_operator(self) -> None:
        """Raises OperatorOnly unless an operator calls."""
        if not self.operator:
            raise OperatorOnly


_current: ContextVar[RequestContext | None] = ContextVar("aisp_request_context", default=None)


def current() -> RequestContext:
    """The context of the call that is being served; Internal where there is none (a defect)."""
    context = _current.get()
    if context is None:
        raise Internal
    return context


def current_or_none() -> RequestContext | None:
    """The context of the call that is being served, if one is."""
    return _current.get()


def enter(context: RequestContext) -> None:
    """Makes `context` the one of the running task and of what it starts."""
    _current.set(context)


def derive_key(root: bytes, caller: str, callee: str) -> bytes:
    """The 32-byte key of one pair of processes, out of a root secret (HKDF-SHA-256, labelled)."""
    label = f"aisp/context/v1/{caller}>{callee}".encode()
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=label).derive(root)


class Mac:
    """HMAC-SHA-256 (RFC 2104) under one key, which is hashed once: half of what `hmac.digest` costs a short message."""

    _BLOCK_BYTES = hashlib.sha256().block_size

    def __init__(self, key: bytes) -> None:
        if len(key) > self._BLOCK_BYTES:
            key = hashlib.sha256(key).digest()
        padded = key.ljust(self._BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def digest(self, message: bytes) -> bytes:
        """32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


class Keyring:
    """The pair keys that one process holds: those given by name, or any pair of its own derived from a root."""

    def __init__(self, name: str, *, keys: Mapping[str, str] | None = None, root: bytes | None = None) -> None:
        """`keys` maps `caller>callee` to base64 of 32 bytes; `root` is for development."""
        self.name = name
        self._root = root
        self._keys = {pair: base64.b64decode(key) for pair, key in (keys or {}).items()}
        self._macs: dict[str, Mac] = {}

    def key(self, caller: str, callee: str) -> bytes | None:
        """The key with which `caller` speaks to `callee`, or None if this process has none."""
        pair = f"{caller}>{callee}"
        key = self._keys.get(pair)
        if key is None and self._root is not None and self.name in (caller, callee):
            key = self._keys[pair] = derive_key(self._root, caller, callee)
        return key

    def mac(self, caller: str) -> Mac | None:
        """What `caller` signs with when it speaks to this process, or None if this process has no such key."""
        mac = self._macs.get(caller)
        if mac is None and (key := self.key(caller, self.name)) is not None:
            mac = self._macs[caller] = Mac(key)
        return mac


class Signer:
    """Signs contexts from one process to one other."""

    def __init__(self, keyring: Keyring, callee: str, clock: Callable[[], float] = time.time) -> None:
        key = keyring.key(keyring.name, callee)
        if key is None:
            message = f"no wire key {keyring.name}>{callee}: set AI_PLATFORM_WIRE__KEYS (or __SECRET in development)"
            raise MissingKey(message)
        self._mac = Mac(key)
        self._caller = keyring.name
        self._callee = callee
        self._clock = clock

    def sign(self, context: RequestContext, method: str, lifetime: int = LIFETIME_SECONDS) -> bytes:
        """The metadata value for a call of `method` (its full gRPC path). Internal if it exceeds 2 KB."""
        now = int(self._clock())
        claims: dict[str, Any] = {name: value for name, value in zip(context._fields, context, strict=True) if value}
        claims |= {"iss": self._caller, "aud": self._callee, "mth": method, "iat": now, "exp": now + lifetime}
        payload = orjson.dumps(claims)
        if len(payload) + _MAC_BYTES > MAX_BYTES:
            # Metadata above 8 KiB fails at random on the wire; this stays far below it, and fails always.
            raise Internal
        return self._mac.digest(payload) + payload


class Verifier:
    """Verifies contexts that arrive at one process."""

    def __init__(self, keyring: Keyring, clock: Callable[[], float] = time.time) -> None:
        self._keyring = keyring
        self._clock = clock

    def verify(self, value: bytes, method: str) -> RequestContext:
        """The context in a metadata value, checked for `method`; BadContext for whatever is wrong with it."""
        if len(value) > MAX_BYTES:
            raise BadContext
        mac, payload = value[:_MAC_BYTES], value[_MAC_BYTES:]
        try:
            claims = orjson.loads(payload)
            caller = claims.pop("iss")
            known = self._keyring.mac(caller)
            if known is None or not hmac.compare_digest(mac, known.digest(payload)):
                raise BadContext
            return self._read(claims, method)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise BadContext from error

    def _read(self, claims: dict[str, object], method: str) -> RequestContext:
        now = self._clock()
        issued, expires = claims.pop("iat"), claims.pop("exp")
        fresh = (
            isinstance(issued, int)
            and isinstance(expires, int)
            and issued <= now + CLOCK_SKEW_SECONDS
            and now <= expires + CLOCK_SKEW_SECONDS
        )
        if not fresh or claims.pop("aud") != self._keyring.name or claims.pop("mth") != method:
            raise BadContext
        claims["scopes"] = tuple(claims.get("scopes", ()))  # type: ignore[arg-type]  # signed by us
        return RequestContext(**claims)  # type: ignore[arg-type]  # signed by us; an unknown name is a TypeError
