"""A channel to another service: signs the context into each call, turns failures back into errors.

`Channel` offers what generated stubs ask of a grpc.aio.Channel, so stubs work over it unchanged; a method with one
request rides on the relay where there is one. It wraps calls itself since grpc.aio's client interceptors cost a task a
call. Deadlines and retries are data (service_config.json).
"""

import asyncio
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any, Self

import grpc
from opentelemetry.propagate import inject
from opentelemetry.trace import INVALID_SPAN, get_current_span

from chassis import context, status
from chassis.context import METADATA_KEY, Keyring, RequestContext, Signer
from chassis.relay.calls import Method, OnTrailers, RelayedStream, RelayedUnary, Sign
from chassis.relay.client import RelayClient
from chassis.relay.frames import Metadata
from chassis.relay.rules import Rules
from chassis.server import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES
from chassis.settings import RelaySettings


def read_service_config(package: str = "aisp") -> str:
    """The deadlines and retry policies (JSON) that stand beside the generated contracts."""
    return (resources.files(package) / "service_config.json").read_text()


class Channel:
    """A channel from this process to one other. Close it, or use it as an async context manager."""

    def __init__(
        self, address: str, *, keyring: Keyring, callee: str, service_config: str, relay: RelaySettings | None = None
    ) -> None:
        """`callee` is the name of the process at `address`, for example llm_service. Without `relay`, or where it is
        off, each call is a gRPC call of its own.
        """
        self._signer = Signer(keyring, callee)
        self._rules = Rules(service_config)
        self._channel = grpc.aio.insecure_channel(
            address,
            options=(
                ("grpc.service_config", service_config),
                ("grpc.enable_retries", 1),
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_metadata_size", MAX_METADATA_BYTES),
                ("grpc.keepalive_time_ms", 20_000),
                ("grpc.keepalive_timeout_ms", 5_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.max_pings_without_data", 0),
                # A service that restarts is found again quickly; the default backs off for two minutes.
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 2_000),
                # How long an attempt to connect may take, whatever its name says: busy machines need more than 100 ms.
                ("grpc.min_reconnect_backoff_ms", 5_000),
            ),
        )
        self._relay: RelayClient | None = None
        if relay is not None and relay.enabled:
            host = address.removeprefix("dns:///").rpartition(":")[0].strip("[]")
            self._relay = RelayClient(host, self._plain, self._sign, relay)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the channel; calls under way are cancelled."""
        if self._relay is not None:
            await self._relay.close()
        await self._channel.close()

    async def wait_ready(self) -> None:
        """Returns once connected."""
        while (state := self._channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
            await self._channel.wait_for_state_change(state)
        if self._relay is not None:
            await self._relay.connected()

    def unary_unary(
        self, method: str, request_serializer: Any, response_deserializer: Any, **kwargs: Any
    ) -> "UnaryCall | RelayedUnary":
        """Called by stubs."""
        plain = self._plain(method, request_serializer, response_deserializer, **kwargs)
        if self._relay is None:
            return plain
        return RelayedUnary(self._method(self._relay, method, request_serializer, response_deserializer, plain))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> "UnaryCall":
        """Called by stubs."""
        return UnaryCall(self._channel.stream_unary(method, *args, **kwargs), method, self._sign)

    def unary_stream(
        self, method: str, request_serializer: Any, response_deserializer: Any, **kwargs: Any
    ) -> "StreamCall | RelayedStream":
        """Called by stubs."""
        plain = StreamCall(
            self._channel.unary_stream(method, request_serializer, response_deserializer, **kwargs), method, self._sign
        )
        if self._relay is None:
            return plain
        return RelayedStream(self._method(self._relay, method, request_serializer, response_deserializer, plain))

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> "StreamCall":
        """Called by stubs."""
        return StreamCall(self._channel.stream_stream(method, *args, **kwargs), method, self._sign)

    def _plain(self, method: str, *args: Any, **kwargs: Any) -> "UnaryCall":
        return UnaryCall(self._channel.unary_unary(method, *args, **kwargs), method, self._sign)

    def _method(self, relay: RelayClient, path: str, serialize: Any, deserialize: Any, plain: Any) -> Method:
        return Method(path, relay, self._rules.of(path), self._sign, serialize, deserialize, plain)

    def _sign(self, calling: RequestContext | None, method: str) -> Metadata:
        signed = self._signer.sign(calling or context.current(), method)
        if get_current_span() is INVALID_SPAN:
            return ((METADATA_KEY, signed),)
        carrier: dict[str, str] = {}
        inject(carrier)
        return ((METADATA_KEY, signed), *carrier.items())


class _Call:
    def __init__(self, call: Any, method: str, sign: Sign) -> None:
        self._call = call
        self._method = method
        self._sign = sign


class UnaryCall(_Call):
    """A method with one response."""

    async def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # gRPC's own deadline, which travels with the call
        context: RequestContext | None = None,
        on_trailers: OnTrailers | None = None,
    ) -> Any:
        """The response. `request` is a message, or an async iterator of them for a client-streaming method.

        Raises the PlatformError that the service raised. `context`: default, the one being served.
        `on_trailers` is told the trailing metadata of a call that succeeded.
        """
        call = self._call(request, timeout=timeout, metadata=self._sign(context, self._method))
        try:
            response = await call
            if on_trailers is not None:
                on_trailers(dict(tuple(await call.trailing_metadata() or ())))
        except grpc.aio.AioRpcError as error:
            raise status.from_rpc_error(error) from error
        except asyncio.CancelledError:
            call.cancel()
            raise
        return response


class StreamCall(_Call):
    """A method with a stream of responses."""

    async def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # gRPC's own deadline, which travels with the call
        context: RequestContext | None = None,
        on_trailers: OnTrailers | None = None,
    ) -> AsyncIterator[Any]:
        """The responses as they come. Leaving the loop (or `aclose`) cancels the call."""
        call = self._call(request, timeout=timeout, metadata=self._sign(context, self._method))
        try:
            async for response in call:
                yield response
            if on_trailers is not None:
                on_trailers(dict(tuple(await call.trailing_metadata() or ())))
        except grpc.aio.AioRpcError as error:
            raise status.from_rpc_error(error) from error
        finally:
            call.cancel()
