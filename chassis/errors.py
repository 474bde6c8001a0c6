"""The one tree of errors, by canonical code. Owns nothing but the tree; `chassis.status` puts it on the wire.

    PlatformError
    ├── InvalidArgument         400  the request itself is wrong
    │   ├── InvalidCursor            a page cursor that is not ours
    │   └── IdempotencyMismatch      422: the key came with another body
    ├── OutOfRange              400  valid elsewhere, past the end here
    ├── FailedPrecondition      400  not in this state
    ├── Unauthenticated         401  nobody known is calling
    ├── PermissionDenied        403  known, and not allowed
    ├── NotFound                404  not there, or another tenant's
    ├── AlreadyExists           409  there already
    ├── Aborted                 409  somebody else was faster; try again
    │   └── IdempotencyInFlight      the first call with this key still runs
    ├── ResourceExhausted       429  a limit binds
    ├── Cancelled               499  the caller went away
    ├── Internal                500  a defect
    ├── DataLoss                500  stored data cannot be read
    ├── Unknown                 500  an error nobody mapped
    ├── Unimplemented           501  not supported, and said so
    ├── Unavailable             503  try again soon
    └── DeadlineExceeded        504  took too long

A service derives its own errors from these in its domain module: a class, a `reason`, a public `message`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

LASTING = "lasting"
"""Stands in the metadata of an error that no trying again mends: somebody has to change something first."""


class Code(IntEnum):
    """Canonical codes, with the numbers of google.rpc.Code."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field (its path, dots between levels), or which limit binds."""

    field: str
    description: str


class PlatformError(Exception):
    """An error that a caller may see: `message` is one public sentence, `reason` a stable UPPER_SNAKE name.

    `metadata` holds public facts (strings), `violations` the fields at fault, `retry_after` seconds to wait.
    Details for operators belong into the log (or `__cause__`), never here.
    """

    code: ClassVar[Code] = Code.UNKNOWN
    reason: str = "UNKNOWN"
    message: str = "Something went wrong."

    def __init__(
        self,
        message: str | None = None,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after
        super().__init__(self.message)


class InvalidArgument(PlatformError):
    code = Code.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"
    message = "The request is not valid."


class InvalidCursor(InvalidArgument):
    reason = "INVALID_CURSOR"
    message = "The cursor is not one of ours; start again without it."


class IdempotencyMismatch(InvalidArgument):
    reason = "IDEMPOTENCY_MISMATCH"
    message = "This Idempotency-Key was used for another request."


class OutOfRange(PlatformError):
    code = Code.OUT_OF_RANGE
    reason = "OUT_OF_RANGE"
    message = "A value is out of range."


class FailedPrecondition(PlatformError):
    code = Code.FAILED_PRECONDITION
    reason = "FAILED_PRECONDITION"
    message = "This cannot be done in the present state."


class Unauthenticated(PlatformError):
    code = Code.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"
    message = "No valid credentials were presented."


class PermissionDenied(PlatformError):
    code = Code.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"
    message = "The credentials do not allow this."


class NotFound(PlatformError):
    code = Code.NOT_FOUND
    reason = "NOT_FOUND"
    message = "There is no such thing."


class AlreadyExists(PlatformError):
    code = Code.ALREADY_EXISTS
    reason = "ALREADY_EXISTS"
    message = "It exists already."


class Aborted(PlatformError):
    code = Code.ABORTED
    reason = "ABORTED"
    message = "Another call changed this at the same time; try again."


class IdempotencyInFlight(Aborted):
    reason = "IDEMPOTENCY_IN_FLIGHT"
    message = "The first request with this Idempotency-Key is still running."


class ResourceExhausted(PlatformError):
    code = Code.RESOURCE_EXHAUSTED
    reason = "RESOURCE_EXHAUSTED"
    message = "A limit is exhausted."


class Cancelled(PlatformError):
    code = Code.CANCELLED
    reason = "CANCELLED"
    message = "The call was cancelled."


class Internal(PlatformError):
    code = Code.INTERNAL
    reason = "INTERNAL"
    message = "Something went wrong on our side."


class DataLoss(PlatformError):
    code = Code.DATA_LOSS
    reason = "DATA_LOSS"
    message = "Stored data cannot be read."


class Unknown(PlatformError):
    code = Code.UNKNOWN
    reason = "UNKNOWN"
    message = "Something went wrong."


class Unimplemented(PlatformError):
    code = Code.UNIMPLEMENTED
    reason = "UNIMPLEMENTED"
    message = "This is not supported."


class Unavailable(PlatformError):
    code = Code.UNAVAILABLE
    reason = "UNAVAILABLE"
    message = "The service is not available at the moment; try again soon."


class DeadlineExceeded(PlatformError):
    code = Code.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"
    message = "The call took too long."
