"""The removal of a deleted tenant on the wire: the same in every service, so a contract that the chassis owns."""

from typing import Any
from uuid import UUID

from aisp.erasure.v1 import erasure_service_pb2 as pb
from aisp.erasure.v1.erasure_service_pb2_grpc import ErasureServiceServicer

from chassis.erasure import Erase, require_purpose
from chassis.errors import InvalidArgument


class ErasureServicer(ErasureServiceServicer):
    """Translates."""

    def __init__(self, erase: Erase) -> None:
        self._erase = erase

    async def EraseTenant(self, request: pb.EraseTenantRequest, _: Any) -> pb.EraseTenantResponse:
        tenant_id = require_purpose().tenant_id
        try:
            # Whatever the rows of other tenants are told apart by, it is not "all of them".
            tenant, deletion = str(UUID(tenant_id)), str(UUID(request.deletion_id))
        except ValueError as error:
            raise InvalidArgument("deletion_id and the context's tenant must be UUIDs.") from error
        done = await self._erase(tenant, deletion)
        removed = {name: number for name, number in done.removed.items() if number}
        return pb.EraseTenantResponse(removed=removed, waiting_for=done.waiting_for)
