"""Secrets at rest on the wire: the same in every service that has some, so a contract that the chassis owns."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aisp.encryption.v1 import encryption_service_pb2 as pb
from aisp.encryption.v1.encryption_service_pb2_grpc import EncryptionServiceServicer

from chassis import context

Reencrypt = Callable[[], Awaitable[Mapping[str, int]]]
"""Encrypts everything under the current secret; how many secrets were not, by table."""


class EncryptionServicer(EncryptionServiceServicer):
    """Translates."""

    def __init__(self, reencrypt: Reencrypt) -> None:
        self._reencrypt = reencrypt

    async def ReencryptSecrets(self, _request: pb.ReencryptSecretsRequest, _: Any) -> pb.ReencryptSecretsResponse:
        context.current().require_operator()
        return pb.ReencryptSecretsResponse(renewed=await self._reencrypt())
