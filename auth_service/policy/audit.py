"""The audit log's chain: how a row is written so that everybody reads the same bytes, and what binds it to the last.

A row's document is JSON in UTF-8 with sorted keys and no spaces; it names the hash of the row before (`previous`), and
the row's hash is the SHA-256 of the document. The first row's `previous` is 64 zeros. Whoever can write the table could
write the whole chain anew, so its head is signed under a key that the database does not have.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from auth_service.domain.audit import AuditEvent, AuditHead, Deed, Origin, Outcome
from chassis.errors import InvalidArgument

ZERO_HASH = bytes(32)
_ACTION = re.compile(r"[a-z][a-z_]{0,31}\.[a-z][a-z_]{0,31}")


class HeadSigner(Protocol):
    """Signs heads; chassis.envelope.Envelope is one."""

    @property
    def key_id(self) -> str: ...

    def sign(self, message: bytes) -> bytes: ...

    def signed(self, key_id: str, message: bytes, signature: bytes) -> bool | None: ...


class Trail:
    """Makes rows out of deeds."""

    def __init__(
        self,
        signer: HeadSigner,
        origin: Callable[[], Origin],
        clock: Callable[[], datetime],
        *,
        max_detail_bytes: int,
    ) -> None:
        """`origin` tells who acts in the running call; `max_detail_bytes` bounds `before` and `after` each."""
        self._signer = signer
        self._origin = origin
        self._clock = clock
        self._most = max_detail_bytes

    def seal(self, head: AuditHead, deeds: Sequence[Deed]) -> tuple[list[AuditEvent], AuditHead]:
        """The rows that follow `head`, and the new head."""
        origin, events = self._origin(), []
        for deed in deeds:
            event = self._event(head, deed, origin)
            head = AuditHead(head.tenant_id, event.sequence, event.hash)
            events.append(event)
        return events, self.sign(head)

    def sign(self, head: AuditHead) -> AuditHead:
        """The head, signed under the current key."""
        signature = self._signer.sign(_head_message(head))
        return AuditHead(head.tenant_id, head.sequence, head.hash, self._signer.key_id, signature)

    def is_signed(self, head: AuditHead) -> bool | None:
        """Whether the head's signature is right; None if its key is not here."""
        return self._signer.signed(head.key_id, _head_message(head), head.signature)

    def _event(self, head: AuditHead, deed: Deed, origin: Origin) -> AuditEvent:
        at, sequence = self._clock(), head.sequence + 1
        text = canonical(
            {
                "sequence": sequence,
                "tenant_id": head.tenant_id,
                "at": at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "actor": {"kind": origin.kind, "user_id": deed.user_id or origin.user_id, "key_id": origin.key_id},
                "address": origin.address,
                "request_id": origin.request_id,
                "action": deed.action,
                "resource_id": deed.resource_id,
                "outcome": deed.outcome.value,
                "before": self._bounded(deed.before),
                "after": self._bounded(deed.after),
                "previous": head.hash.hex(),
            }
        )
        return AuditEvent(head.tenant_id, sequence, at, text, hash_of(text))

    def _bounded(self, details: Mapping[str, object]) -> Mapping[str, object]:
        size = len(canonical(details).encode())
        return details if size <= self._most else {"omitted_bytes": size}


def canonical(document: Mapping[str, object]) -> str:
    """The one way in which a document is written."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)


def hash_of(document: str) -> bytes:
    """What the next row names."""
    return hashlib.sha256(document.encode()).digest()


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Of two states of a thing, what differs."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def deed_of(action: str, resource_id: str, before: str, after: str, outcome: Outcome) -> Deed:
    """What another service did, from its JSON of before and after; InvalidArgument if that cannot be a row."""
    if not _ACTION.fullmatch(action):
        raise InvalidArgument("action must be noun.verb.")
    if len(resource_id) > 255 or not resource_id.isprintable():
        raise InvalidArgument("resource_id must have at most 255 printable characters.")
    return Deed(action, resource_id, _object(before), _object(after), outcome)


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
        # PostgreSQL's JSON takes no NUL, and UTF-8 no lone surrogate.
        if not isinstance(found, dict) or b"\\u0000" in canonical(found).encode():
            raise InvalidArgument("before and after must be JSON objects of text without NUL.")
    except ValueError as error:
        raise InvalidArgument("before and after must be JSON objects.") from error
    return found


def first_break(previous: AuditHead, events: Iterable[AuditEvent]) -> str:
    """What is wrong with the first bad row of those that should follow `previous`; empty if nothing is."""
    for event in events:
        expected = previous.sequence + 1
        if event.sequence != expected:
            return f"row {expected} is missing"
        if hash_of(event.document) != event.hash:
            return f"row {event.sequence} was changed: its hash does not match"
        told = json.loads(event.document)
        if told["previous"] != previous.hash.hex():
            return f"row {event.sequence} does not follow row {previous.sequence}: the row before was replaced"
        if (told["sequence"], told["tenant_id"]) != (event.sequence, event.tenant_id):
            return f"row {event.sequence} was moved here from elsewhere"
        previous = AuditHead(event.tenant_id, event.sequence, event.hash)
    return ""


def _head_message(head: AuditHead) -> bytes:
    return f"aisp/audit-head/v1\n{head.tenant_id}\n{head.sequence}\n{head.hash.hex()}".encode()
