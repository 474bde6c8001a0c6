"""Deletions that survive whoever carries them out, end in spite of failures, and are taken back while they wait."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1 import deletions_pb2 as deletions
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from aisp.erasure.v1 import erasure_service_pb2 as erasure
from pydantic import SecretStr

from auth_service import app
from auth_service.domain.deletions import SERVICES
from auth_service.settings import AuthSection, JwtSettings, PasswordSettings, Settings
from chassis.context import RequestContext
from chassis.database import Database
from chassis.erasure import PURPOSE
from chassis.errors import FailedPrecondition, NotFound, PermissionDenied, PlatformError, Unavailable
from chassis.settings import DatabaseSettings, WireSettings
from chassis.tenant_rows import TenantRows
from gateway.erasure import Erasures
from rag_service.repository.tables import collections, metadata
from tests.integration.conftest import ROOT, Clock, Serve

OPERATOR = RequestContext("op", tenant_id=str(uuid4()), user_id=str(uuid4()), operator=True)
PLATFORM = RequestContext("erasures", purpose=PURPOSE)
ANYBODY = RequestContext("r", address="192.0.2.1")


@pytest.fixture
def auth(migrated: Callable[[str], DatabaseSettings], serve: Serve, clock: Clock) -> Callable[..., Any]:
    @asynccontextmanager
    async def serving(**section: Any) -> AsyncIterator[AuthServiceStub]:
        cheap = PasswordSettings(memory_kib=19_456, passes=1, lanes=1)
        settings = Settings(
            database=migrated("auth_service"),
            jwt=JwtSettings(secret_key=SecretStr("s" * 40)),
            auth=AuthSection(password=cheap, erasure_settle_seconds=600, **section),
            wire=WireSettings(secret=SecretStr(ROOT.decode())),
        )
        async with Database(settings.database, "auth") as database, database.platform() as connection:
            await connection.execute(sa.text("DELETE FROM deletions"))
        async with serve("auth_service", settings, app.compose) as channel:
            yield AuthServiceStub(channel)

    return serving


class Services:
    """What the gateway calls; each fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.calls: dict[str, int] = dict.fromkeys(SERVICES, 0)
        self.tenants: set[str] = set()
        self._failures = failures

    def stubs(self) -> Any:
        return {name: _Stub(self, name) for name in SERVICES}

    async def erase(self, name: str, context: RequestContext) -> erasure.EraseTenantResponse:
        self.calls[name] += 1
        self.tenants.add(context.tenant_id)
        assert context.purpose == PURPOSE
        if name == "rag" and self.calls[name] <= self._failures:
            raise Unavailable
        if name == "usage" and self.calls[name] == 1:
            return erasure.EraseTenantResponse(removed={"rows": 5}, waiting_for="more rows")
        return erasure.EraseTenantResponse(removed={"rows": 1})


class _Stub:
    def __init__(self, services: Services, name: str) -> None:
        self._services = services
        self._name = name

    async def EraseTenant(self, _request: Any, *, context: RequestContext) -> Any:  # noqa: N802  # as the RPC
        return await self._services.erase(self._name, context)


async def a_tenant(stub: AuthServiceStub) -> pb.RegisterResponse:
    request = pb.RegisterRequest(email=f"{uuid4().hex}@example.com", password="correct horse battery", tenant_name="E")
    made: pb.RegisterResponse = await stub.Register(request, context=ANYBODY)
    return made


async def delete(stub: AuthServiceStub, tenant_id: str) -> deletions.Deletion:
    asked = deletions.DeleteAnyTenantRequest(id=tenant_id, confirm="E")
    made: deletions.Deletion = (await stub.DeleteAnyTenant(asked, context=OPERATOR)).deletion
    return made


async def state(stub: AuthServiceStub, deletion_id: str) -> deletions.Deletion:
    asked = deletions.GetDeletionRequest(id=deletion_id)
    found: deletions.Deletion = (await stub.GetDeletion(asked, context=ANYBODY)).deletion
    return found


async def claim(stub: AuthServiceStub) -> str:
    found = await stub.ClaimErasure(deletions.ClaimErasureRequest(), context=PLATFORM)
    return str(found.deletion_id)


async def test_whoever_dies_with_a_deletion_leaves_it_to_the_next(auth: Callable[..., Any], clock: Clock) -> None:
    async with auth() as stub:
        made = await delete(stub, (await a_tenant(stub)).tenant.id)
        assert await claim(stub) == made.id
        # The gateway is killed here. Nobody gets it while it may live, and then exactly one.
        assert await claim(stub) == ""
        clock.ahead += timedelta(seconds=61)
        assert sorted(await asyncio.gather(*(claim(stub) for _ in range(5)))) == ["", "", "", "", made.id]


async def test_it_goes_on_through_failures_and_ends_after_a_second_round(
    auth: Callable[..., Any], clock: Clock
) -> None:
    async with auth() as stub:
        tenant = await a_tenant(stub)
        made = await delete(stub, tenant.tenant.id)
        services = Services(failures=2)
        eraser = Erasures(stub, services.stubs(), 1)
        assert await eraser.once()
        steps = {step.service: step for step in (await state(stub, made.id)).steps}
        assert (steps["rag"].done, steps["rag"].error) == (False, "UNAVAILABLE")
        assert (steps["usage"].done, steps["usage"].waiting_for) == (False, "more rows")
        assert steps["llm"].done
        for _ in range(4):
            clock.ahead += timedelta(seconds=61)
            await eraser.once()
        # What was done is not asked for again; the second round waits for calls that were under way.
        assert services.calls == {"usage": 2, "rag": 3, "llm": 1, "embedding": 1, "speech": 1}
        settling = await state(stub, made.id)
        assert settling.status == deletions.DELETION_STATUS_SETTLING
        with pytest.raises(PlatformError):
            await stub.IssueToken(
                pb.IssueTokenRequest(
                    password=pb.PasswordGrant(email=tenant.user.email, password="correct horse battery")
                ),
                context=ANYBODY,
            )
        clock.ahead += timedelta(seconds=600)
        assert await eraser.once()
        done = await state(stub, made.id)
        assert done.status == deletions.DELETION_STATUS_DONE
        removed = {step.service: dict(step.removed) for step in done.steps}
        assert removed["usage"] == {"rows": 7}
        assert removed["auth"]["users"] == 1
        assert services.tenants == {tenant.tenant.id}
        assert not await eraser.once()


async def test_while_it_waits_it_can_be_taken_back(auth: Callable[..., Any], clock: Clock) -> None:
    async with auth(deletion_grace_seconds=3600) as stub:
        tenant = await a_tenant(stub)
        made = await delete(stub, tenant.tenant.id)
        assert made.status == deletions.DELETION_STATUS_WAITING
        assert await claim(stub) == ""
        asking = RequestContext("r", tenant_id=tenant.tenant.id, user_id=tenant.user.id, session_id=str(uuid4()))
        with pytest.raises(PermissionDenied):
            await stub.KeepTenant(deletions.KeepTenantRequest(id=tenant.tenant.id), context=asking)
        await stub.KeepTenant(deletions.KeepTenantRequest(id=tenant.tenant.id), context=OPERATOR)
        found = await stub.LookUpTenant(pb.LookUpTenantRequest(id=tenant.tenant.id), context=OPERATOR)
        assert found.tenant.status == pb.TENANT_STATUS_ACTIVE
        with pytest.raises(NotFound):
            await state(stub, made.id)
        again = await delete(stub, tenant.tenant.id)
        clock.ahead += timedelta(seconds=3601)
        with pytest.raises(FailedPrecondition):
            await stub.KeepTenant(deletions.KeepTenantRequest(id=tenant.tenant.id), context=OPERATOR)
        assert await claim(stub) == again.id


async def test_only_the_platform_itself_removes(auth: Callable[..., Any]) -> None:
    async with auth() as stub:
        for request, method in (
            (deletions.ClaimErasureRequest(), stub.ClaimErasure),
            (deletions.ReportErasureRequest(deletion_id=str(uuid4())), stub.ReportErasure),
        ):
            with pytest.raises(PermissionDenied):
                await method(request, context=OPERATOR)


async def test_rows_go_in_batches_and_others_stay(
    migrated: Callable[[str], DatabaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.tenant_rows.BATCH", 4)
    mine, other = str(uuid4()), str(uuid4())
    async with Database(migrated("rag_service"), "rag") as database:
        for tenant_id in (mine, other):
            plain = {"tenant_id": tenant_id, "description": "", "vector_store": "", "embedding_model": ""}
            named = [plain | {"id": str(uuid4()), "name": f"c{number}"} for number in range(10)]
            rows = [{**row, "created_at": datetime.now(UTC)} for row in named]
            async with database.transaction(tenant_id) as connection:
                await connection.execute(collections.insert(), rows)
        times = iter((0.0, 0.0, 5.0, 11.0))
        hurried = TenantRows(database, metadata, clock=lambda: next(times, 11.0))
        assert (await hurried.erase(mine, "")).waiting_for
        done = await TenantRows(database, metadata).erase(mine, "")
        assert (done.waiting_for, done.removed["collections"]) == ("", 10)
        assert (await TenantRows(database, metadata).erase(other, "")).removed["collections"] == 10
