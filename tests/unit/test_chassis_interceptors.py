"""What the server puts around each of the four kinds of calls."""

import asyncio
from typing import Any

import grpc
import pytest
import structlog
from google.protobuf.wrappers_pb2 import StringValue
from prometheus_client import REGISTRY

from chassis import context, errors, interceptors
from chassis.context import METADATA_KEY, Keyring, RequestContext, Signer
from chassis.errors import PlatformError, Violation
from tests.promptness import PROMPT
from tests.standins.echo_service import CALLING, KINDS, NAME, ROOT, SERVICE, Echo, EchoStub, served

pytestmark = pytest.mark.usefixtures("transport")

SECRET_DETAIL = "password of the database is hunter2"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the layers log."""
    kept: list[Any] = []

    class Kept:
        def info(self, event: str, **fields: Any) -> None:
            kept.append({"event": event, **fields})

        exception = warning = info

    monkeypatch.setattr(interceptors, "log", Kept())
    return kept


def signed(method: str, **changes: Any) -> bytes:
    caller, callee = changes.pop("caller", "gateway"), changes.pop("callee", NAME)
    return Signer(Keyring(caller, root=ROOT.encode()), callee).sign(CALLING, method)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_has_its_context(kind: str) -> None:
    found: list[RequestContext] = []

    async def behave(text: str) -> str:
        found.append(context.current())
        return text

    async with served(Echo(behave)) as service, service.channel() as channel:
        assert await EchoStub(channel).call(kind, "a")
    assert set(found) == {CALLING}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_typed_error_arrives_whole(kind: str, lines: list[Any]) -> None:
    async def behave(text: str) -> str:
        violations = [Violation("name", "is taken")]
        raise errors.AlreadyExists("Taken: é.", metadata={"id": "7"}, violations=violations, retry_after=2.5)

    async with served(Echo(behave)) as service, service.channel() as channel:
        with pytest.raises(errors.AlreadyExists) as caught:
            await EchoStub(channel).call(kind, "a")
    error = caught.value
    assert (error.message, error.reason, error.metadata) == ("Taken: é.", "ALREADY_EXISTS", {"id": "7"})
    assert (error.violations, error.retry_after) == ((Violation("name", "is taken"),), 2.5)
    assert [(line["code"], line["reason"]) for line in lines] == [("ALREADY_EXISTS", "ALREADY_EXISTS")]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_unexpected_is_internal_and_hidden(kind: str, lines: list[Any]) -> None:
    async def behave(text: str) -> str:
        raise KeyError(SECRET_DETAIL)

    async with served(Echo(behave)) as service, service.channel() as channel:
        with pytest.raises(errors.Internal) as caught:
            await EchoStub(channel).call(kind, "a")
    assert caught.value.message == "Something went wrong on our side (request req-1)."
    assert caught.value.reason == "INTERNAL"
    assert [line["event"] for line in lines] == ["unexpected error", "call"]
    assert lines[0]["request_id"] == "req-1"
    assert lines[1]["code"] == "INTERNAL"


async def test_a_stream_that_fails_keeps_what_it_sent() -> None:
    async def behave(text: str) -> str:
        if text.endswith("2"):
            raise errors.DataLoss
        return text

    got: list[str] = []

    async def read(channel: Any) -> None:
        async for answer in EchoStub(channel).server_stream(StringValue(value="a"), context=CALLING):
            got.append(answer.value)  # noqa: PERF401  # what came before the failure counts

    async with served(Echo(behave)) as service, service.channel() as channel:
        with pytest.raises(errors.DataLoss):
            await read(channel)
    assert got == ["a0", "a1"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_line_and_two_metrics_a_call(kind: str, lines: list[Any]) -> None:
    method = f"/{SERVICE}/{kind}"

    def counted() -> tuple[float, float]:
        calls = REGISTRY.get_sample_value("aisp_rpc_server_calls_total", {"method": method, "code": "OK"})
        timed = REGISTRY.get_sample_value("aisp_rpc_server_call_seconds_count", {"method": method})
        return calls or 0, timed or 0

    before = counted()
    async with served(Echo()) as service, service.channel() as channel:
        await EchoStub(channel).call(kind, "a")
    (line,) = lines
    assert (line["event"], line["method"], line["code"]) == ("call", method, "OK")
    assert (line["request_id"], line["tenant_id"]) == ("req-1", "tenant-1")
    assert line["duration_ms"] >= 0
    assert counted() == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_caller_that_leaves_ends_the_work_at_once(kind: str, lines: list[Any]) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def behave(text: str) -> str:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return text

    async with served(Echo(behave)) as service, service.channel() as channel:
        call = asyncio.create_task(EchoStub(channel).call(kind, "a"))
        await started.wait()
        call.cancel()
        await asyncio.wait_for(ended.wait(), PROMPT)
        await asyncio.gather(call, return_exceptions=True)
        while not lines:
            await asyncio.sleep(0.001)
    assert [line["code"] for line in lines] == ["CANCELLED"]


async def test_leaving_a_stream_between_two_messages_closes_the_handler() -> None:
    closed = asyncio.Event()

    class Endless(Echo):
        async def server_stream(self, request: StringValue, servicer_context: Any) -> Any:
            try:
                while True:
                    yield request
            finally:
                closed.set()

    async with served(Endless()) as service, service.channel() as channel:
        answers = EchoStub(channel).server_stream(StringValue(value="a"), context=CALLING)
        async for _answer in answers:
            break
        await answers.aclose()
        await asyncio.wait_for(closed.wait(), 5)


CASES: dict[str, tuple[tuple[str, bytes], ...]] = {
    "none": (),
    "noise": ((METADATA_KEY, b"noise"),),
    "another method": ((METADATA_KEY, signed("/test.EchoService/Other")),),
    "another callee": ((METADATA_KEY, signed(f"/{SERVICE}/Unary", callee="auth_service")),),
    "twice": ((METADATA_KEY, signed(f"/{SERVICE}/Unary")),) * 2,
}


@pytest.mark.parametrize("case", list(CASES))
async def test_without_one_valid_context_nothing_is_served(case: str) -> None:
    echo = Echo()
    async with served(echo) as service, grpc.aio.insecure_channel(service.address) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/Unary",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(StringValue(value="a"), metadata=CASES[case])
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert echo.seen == []


async def test_a_text_value_in_place_of_the_signature_is_refused() -> None:
    """Over the wire a `-bin` key is always bytes; a plain key of almost the same name is not looked at."""
    async with served(Echo()) as service, grpc.aio.insecure_channel(service.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(f"/{SERVICE}/Unary")(b"", metadata=(("aisp-context", "gateway"),))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_unknown_method_is_unimplemented() -> None:
    async with served(Echo()) as service, service.channel() as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/Other", request_serializer=StringValue.SerializeToString, response_deserializer=bytes
        )
        with pytest.raises(errors.Unimplemented):
            await call(StringValue(value="a"), context=CALLING)


async def test_a_large_error_is_an_error_of_its_own_kind() -> None:
    """Metadata above 8 KiB fails at random: what a customer typed must not turn a 400 into that."""

    async def behave(text: str) -> str:
        raise errors.InvalidArgument(
            "Wrong: " + "字" * 5000,
            metadata={"name": "字" * 5000},
            violations=[Violation(f"items.{i}", "字" * 900) for i in range(500)],
        )

    async with served(Echo(behave)) as service, service.channel() as channel:
        with pytest.raises(PlatformError) as caught:
            await EchoStub(channel).call("Unary", "a")
    assert isinstance(caught.value, errors.InvalidArgument)
    assert caught.value.reason == "INVALID_ARGUMENT"
    assert caught.value.message.startswith("Wrong: 字")
    assert caught.value.message.endswith("…")
    assert caught.value.violations[0].field == "items.0"


def test_structlog_is_what_the_layers_log_with() -> None:
    assert type(interceptors.log) is type(structlog.get_logger())
