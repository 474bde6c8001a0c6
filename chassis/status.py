"""Errors on the wire: PlatformError <-> google.rpc.Status, one table, both directions.

The only module that knows rich errors. Every status carries ErrorInfo (reason, domain, metadata) and RequestInfo;
BadRequest, QuotaFailure, RetryInfo and ResourceInfo where they fit.
"""

from collections.abc import Iterable

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from chassis import errors
from chassis.errors import Code, PlatformError, Violation

BY_CODE: dict[int, type[PlatformError]] = {
    Code.CANCELLED: errors.Cancelled,
    Code.UNKNOWN: errors.Unknown,
    Code.INVALID_ARGUMENT: errors.InvalidArgument,
    Code.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    Code.NOT_FOUND: errors.NotFound,
    Code.ALREADY_EXISTS: errors.AlreadyExists,
    Code.PERMISSION_DENIED: errors.PermissionDenied,
    Code.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
    Code.FAILED_PRECONDITION: errors.FailedPrecondition,
    Code.ABORTED: errors.Aborted,
    Code.OUT_OF_RANGE: errors.OutOfRange,
    Code.UNIMPLEMENTED: errors.Unimplemented,
    Code.INTERNAL: errors.Internal,
    Code.UNAVAILABLE: errors.Unavailable,
    Code.DATA_LOSS: errors.DataLoss,
    Code.UNAUTHENTICATED: errors.Unauthenticated,
}
"""The table: what each canonical code is on our side."""

GRPC_CODE: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

DETAILS_KEY = "grpc-status-details-bin"

# Trailing metadata above 8 KiB is refused at random and arrives as another error: what a customer typed is cut.
MAX_MESSAGE_BYTES = 512
MAX_TEXT_BYTES = 256
MAX_VIOLATIONS_BYTES = 2048


def to_status(error: PlatformError, *, domain: str, request_id: str) -> status_pb2.Status:
    """The status that tells a caller of `error`; `domain` is `<short service name>.aisp`."""
    public = _cut(error.message, MAX_MESSAGE_BYTES)
    metadata = {key: _cut(value, MAX_TEXT_BYTES) for key, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=metadata)
    details = [_pack(info), _pack(error_details_pb2.RequestInfo(request_id=request_id))]
    if error.violations:
        details.append(_pack(_violations(error)))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        details.append(_pack(error_details_pb2.RetryInfo(retry_delay=delay)))
    if error.code is Code.NOT_FOUND:
        details.append(_pack(error_details_pb2.ResourceInfo(description=_cut(public, MAX_TEXT_BYTES))))
    return status_pb2.Status(code=error.code, message=public, details=details)


def from_status(status: status_pb2.Status) -> PlatformError:
    """The error that `status` tells of: the canonical class with the sender's reason, metadata and details."""
    error = BY_CODE.get(status.code, errors.Unknown)(status.message or None)
    for detail in status.details:
        _read_detail(error, detail)
    return error


def from_rpc_error(error: grpc.aio.AioRpcError) -> PlatformError:
    """The error behind a failed call. A failure of the transport becomes the canonical class of its code."""
    return from_trailers(error.code().value[0], error.trailing_metadata() or ())


def from_trailers(code: int, trailing: Iterable[tuple[str, str | bytes]]) -> PlatformError:
    """The error that a code and trailing metadata tell of."""
    for key, value in trailing:
        if key == DETAILS_KEY and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    # Without details it was made by the transport, whose text names addresses and is not for the public.
    if code == Code.CANCELLED:
        # Who cancels a call himself is told so by asyncio: this one met a server that is going down.
        return errors.Unavailable()
    return BY_CODE.get(code, errors.Unknown)()


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _cut(text: str, size: int) -> str:
    """`text` in at most `size` bytes of UTF-8, with an ellipsis where it was cut."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= size:
        return encoded.decode()
    return encoded[: size - 3].decode(errors="ignore") + "…"


def _first_violations(error: PlatformError) -> list[Violation]:
    """As many as fit: the first is always among them."""
    left, kept = MAX_VIOLATIONS_BYTES, []
    for item in error.violations:
        short = Violation(_cut(item.field, MAX_TEXT_BYTES), _cut(item.description, MAX_TEXT_BYTES))
        left -= len(short.field.encode()) + len(short.description.encode())
        if left < 0:
            break
        kept.append(short)
    return kept


def _violations(error: PlatformError) -> error_details_pb2.BadRequest | error_details_pb2.QuotaFailure:
    if error.code is Code.RESOURCE_EXHAUSTED:
        return error_details_pb2.QuotaFailure(
            violations=[
                error_details_pb2.QuotaFailure.Violation(subject=item.field, description=item.description)
                for item in _first_violations(error)
            ]
        )
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=item.field, description=item.description)
            for item in _first_violations(error)
        ]
    )


def _read_detail(error: PlatformError, detail: any_pb2.Any) -> None:
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    quota = error_details_pb2.QuotaFailure()
    retry = error_details_pb2.RetryInfo()
    if detail.Unpack(info):
        error.reason = info.reason
        error.metadata = dict(info.metadata)
    elif detail.Unpack(bad_request):
        error.violations = tuple(Violation(v.field, v.description) for v in bad_request.field_violations)
    elif detail.Unpack(quota):
        error.violations = tuple(Violation(v.subject, v.description) for v in quota.violations)
    elif detail.Unpack(retry):
        error.retry_after = retry.retry_delay.ToMilliseconds() / 1000
