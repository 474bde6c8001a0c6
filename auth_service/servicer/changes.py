"""The stream of changes."""

from collections.abc import AsyncIterator
from typing import Any

from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.domain.changes import Subject
from auth_service.service.changes import Changes

SUBJECT = {
    Subject.TENANT: pb.SUBJECT_TENANT,
    Subject.USER: pb.SUBJECT_USER,
    Subject.SESSION: pb.SUBJECT_SESSION,
    Subject.API_KEY: pb.SUBJECT_API_KEY,
    Subject.SIGNING_KEYS: pb.SUBJECT_SIGNING_KEYS,
}


class ChangesServicer(AuthServiceServicer):
    """Translates."""

    _changes: Changes

    async def WatchChanges(self, request: pb.WatchChangesRequest, _: Any) -> AsyncIterator[pb.WatchChangesResponse]:
        async for version, changes, missed in self._changes.watch(request.since_version):
            told = [pb.Change(subject=SUBJECT[change.subject], id=change.id) for change in changes]
            yield pb.WatchChangesResponse(version=version, changes=told, reset=missed)
