"""Errors and the wire: the table is complete, in both directions."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from chassis import errors, status
from chassis.errors import Code, PlatformError, Violation

ROOT = Path(__file__).parents[2]


def every_class() -> list[type[PlatformError]]:
    """The tree of errors with everything in the tree of sources that belongs to it."""
    domains = [*ROOT.glob("*_service/domain.py"), *ROOT.glob("*_service/domain/*.py")]
    for path in sorted([*ROOT.glob("chassis/*.py"), *domains]):
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))

    def below(kind: type[PlatformError]) -> Iterator[type[PlatformError]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    return sorted(set(below(PlatformError)), key=lambda kind: (kind.__module__, kind.__name__))


CLASSES = every_class()


def name(kind: type[PlatformError]) -> str:
    return f"{kind.__module__}.{kind.__name__}"


def test_codes_are_googles() -> None:
    assert {code.name: code.value for code in Code} == {
        code.name: code.value[0] for code in grpc.StatusCode if code is not grpc.StatusCode.OK
    }


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_one_class_and_back(code: Code) -> None:
    kind = status.BY_CODE[code]
    assert kind.code is code
    assert kind.__bases__ == (PlatformError,)
    assert status.GRPC_CODE[code].name == code.name


def test_the_table_has_no_other_rows() -> None:
    assert set(status.BY_CODE) == set(Code)
    direct = {kind for kind in PlatformError.__subclasses__() if kind.__module__ == errors.__name__}
    assert direct == set(status.BY_CODE.values())


def test_the_tree_is_found() -> None:
    names = {kind.__module__.split(".")[0] for kind in CLASSES}
    assert {"chassis", "auth_service", "usage_service", "llm_service"} <= names
    assert len(CLASSES) > 40


@pytest.mark.parametrize("kind", CLASSES, ids=name)
def test_every_error_round_trips(kind: type[PlatformError]) -> None:
    violations = [Violation("messages.0.role", "must be one of …")]
    sent = kind(metadata={"limit": "10"}, violations=violations, retry_after=1.25)
    wire = status.to_status(sent, domain="test.aisp", request_id="req-1").SerializeToString()
    got = status.from_status(status_pb2.Status.FromString(wire))
    assert type(got) is status.BY_CODE[kind.code]
    assert (got.message, got.reason) == (sent.message, sent.reason)
    assert (got.metadata, got.violations, got.retry_after) == ({"limit": "10"}, tuple(violations), 1.25)


@pytest.mark.parametrize("kind", CLASSES, ids=name)
def test_every_error_is_fit_for_the_public(kind: type[PlatformError]) -> None:
    assert kind.reason
    assert kind.reason == kind.reason.upper()
    assert kind.reason.replace("_", "").isalnum()
    assert kind.message.endswith((".", "?"))


def test_a_bare_error_carries_its_reason_and_request_and_nothing_else() -> None:
    sent = status.to_status(errors.Aborted(), domain="auth.aisp", request_id="req-7")
    kinds = [detail.type_url.rsplit(".", 1)[1] for detail in sent.details]
    assert kinds == ["ErrorInfo", "RequestInfo"]
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo()
    sent.details[0].Unpack(info)
    sent.details[1].Unpack(request)
    assert (info.reason, info.domain, request.request_id) == ("ABORTED", "auth.aisp", "req-7")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.NotFound(), "ResourceInfo"),
        (errors.InvalidArgument(violations=[Violation("name", "is empty")]), "BadRequest"),
        (errors.ResourceExhausted(violations=[Violation("requests_per_day", "100")]), "QuotaFailure"),
        (errors.Unavailable(retry_after=0), "RetryInfo"),
    ],
)
def test_details_fit_the_error(error: PlatformError, expected: str) -> None:
    sent = status.to_status(error, domain="x.aisp", request_id="")
    assert [d.type_url.rsplit(".", 1)[1] for d in sent.details] == ["ErrorInfo", "RequestInfo", expected]


def test_a_failure_of_the_transport_hides_its_text() -> None:
    empty = grpc.aio.Metadata()
    raised = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, empty, empty, details="connect to 10.1.2.3:50051 failed")
    got = status.from_rpc_error(raised)
    assert type(got) is errors.Unavailable
    assert got.message == errors.Unavailable.message


def test_what_a_server_cancels_that_goes_down_is_unavailable() -> None:
    empty = grpc.aio.Metadata()
    bare = grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, empty, empty, details="CANCELLED")
    assert type(status.from_rpc_error(bare)) is errors.Unavailable
    details = status.to_status(errors.Cancelled(), domain="x.aisp", request_id="").SerializeToString()
    told = grpc.aio.Metadata((status.DETAILS_KEY, details))
    raised = grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, empty, told)
    assert type(status.from_rpc_error(raised)) is errors.Cancelled


def test_an_unknown_code_is_an_unknown_error() -> None:
    assert type(status.from_status(status_pb2.Status(code=77, message="Odd."))) is errors.Unknown
