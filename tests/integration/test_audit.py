"""The audit log on the real database: append-only, chained, written with the deed, and proved to be whole."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aisp.auth.v1 import audit_pb2
from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from pydantic import SecretStr

from auth_service.app import compose
from auth_service.settings import JwtSettings, Settings
from chassis.context import RequestContext
from chassis.errors import InvalidArgument, NotFound, PermissionDenied
from chassis.settings import DatabaseSettings, WireSettings
from tests.integration.conftest import ROOT, Serve

SECRET = "s" * 40


@pytest.fixture
async def stub(migrated: Callable[[str], DatabaseSettings], serve: Serve) -> AsyncIterator[AuthServiceStub]:
    settings = Settings(
        database=migrated("auth_service"),
        jwt=JwtSettings(secret_key=SecretStr(SECRET)),
        wire=WireSettings(secret=SecretStr(ROOT.decode())),
    )
    async with serve("auth_service", settings, compose) as channel:
        yield AuthServiceStub(channel)


async def register(stub: AuthServiceStub) -> RequestContext:
    request = pb.RegisterRequest(email=f"{uuid4().hex}@example.com", password="correct horse battery")
    made = await stub.Register(request, context=RequestContext("r-0", address="192.0.2.1"))
    return RequestContext(
        "r-1",
        tenant_id=made.tenant.id,
        user_id=made.user.id,
        address="192.0.2.7",
        scopes=("inference", "keys:manage", "audit:read"),
    )


async def listed(stub: AuthServiceStub, context: RequestContext, **which: Any) -> list[dict[str, Any]]:
    request = audit_pb2.ListAuditEventsRequest(page_size=200, filter=audit_pb2.AuditFilter(**which))
    found = await stub.ListAuditEvents(request, context=context)
    return [json.loads(event.document) for event in found.events]


async def exported(stub: AuthServiceStub, context: RequestContext) -> tuple[list[Any], Any]:
    rows, head = [], None
    async for part in stub.ExportAuditEvents(audit_pb2.ExportAuditEventsRequest(), context=context):
        rows += list(part.events)
        head = part.head if part.HasField("head") else head
    return rows, head


async def connected(settings: DatabaseSettings, *, owner: bool) -> asyncpg.Connection:
    secret = settings.owner_password if owner else settings.password
    return await asyncpg.connect(
        host=settings.host,
        port=settings.port,
        user="aisp_auth_owner" if owner else "aisp_auth",
        password=secret.get_secret_value(),
        database="aisp_auth",
    )


async def test_a_deed_tells_who_what_where_and_from_what_to_what(stub: AuthServiceStub) -> None:
    owner = await register(stub)
    await stub.UpdateTenant(pb.UpdateTenantRequest(name="Analytical"), context=owner)
    made = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="ci", scopes=["inference"]), context=owner)
    key, update, *first = await listed(stub, owner)
    assert (key["action"], key["resource_id"], key["outcome"]) == ("api_key.create", made.api_key.id, "done")
    assert key["actor"] == {"kind": "user", "user_id": owner.user_id, "key_id": ""}
    assert (key["address"], key["request_id"]) == ("192.0.2.7", "r-1")
    assert key["after"]["scopes"] == ["inference"]
    assert made.secret not in json.dumps(key)
    assert (update["before"]["name"] != update["after"]["name"], update["after"]) == (True, {"name": "Analytical"})
    assert [row["action"] for row in first] == ["session.create", "tenant.create"]
    assert {row["actor"]["user_id"] for row in first} == {owner.user_id}
    assert [row["sequence"] for row in (key, update, *first)] == [4, 3, 2, 1]


async def test_what_an_operator_does_stands_in_the_tenants_log(stub: AuthServiceStub) -> None:
    owner = await register(stub)
    operator = RequestContext("op-1", tenant_id=str(uuid4()), user_id="boss", operator=True)
    change = pb.AdministerTenantRequest(id=owner.tenant_id, plan="pro")
    await stub.AdministerTenant(change, context=operator)
    (row,) = await listed(stub, owner, action="tenant.administer")
    assert row["actor"] == {"kind": "operator", "user_id": "boss", "key_id": ""}
    assert (row["before"]["plan"], row["after"]["plan"]) == ("free", "pro")


async def test_a_refused_deed_leaves_no_row(stub: AuthServiceStub) -> None:
    owner = await register(stub)
    before = await listed(stub, owner)
    with pytest.raises(NotFound):
        await stub.RevokeApiKey(pb.RevokeApiKeyRequest(id="nobody's"), context=owner)
    assert await listed(stub, owner) == before


async def test_filters_and_pages(stub: AuthServiceStub) -> None:
    owner = await register(stub)
    ids = [(await stub.CreateApiKey(pb.CreateApiKeyRequest(name=f"k{n}"), context=owner)).api_key.id for n in range(5)]
    assert [row["resource_id"] for row in await listed(stub, owner, action="api_key")] == ids[::-1]
    assert [row["resource_id"] for row in await listed(stub, owner, resource_id=ids[2])] == [ids[2]]
    assert await listed(stub, owner, request_id="another") == []
    assert len(await listed(stub, owner, user_id=owner.user_id)) == 7
    seen: list[int] = []
    token = ""
    while True:
        request = audit_pb2.ListAuditEventsRequest(page_size=3, page_token=token)
        page = await stub.ListAuditEvents(request, context=owner)
        seen += [event.sequence for event in page.events]
        token = page.next_page_token
        if not token:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_the_chain_can_be_checked_by_whoever_has_the_export(stub: AuthServiceStub) -> None:
    owner = await register(stub)
    await asyncio.gather(*(stub.CreateApiKey(pb.CreateApiKeyRequest(name=f"k{n}"), context=owner) for n in range(20)))
    rows, head = await exported(stub, owner)
    previous = "0" * 64
    for number, row in enumerate(rows, 1):
        told = json.loads(row.document)
        assert (row.sequence, told["sequence"], told["previous"]) == (number, number, previous)
        previous = hashlib.sha256(row.document).hexdigest()
        assert row.hash.hex() == previous
    assert (head.sequence, head.hash.hex(), head.tenant_id) == (22, previous, owner.tenant_id)


async def test_nobody_reads_or_writes_anothers_log_but_an_operator(stub: AuthServiceStub) -> None:
    owner, stranger = await register(stub), await register(stub)
    theirs = audit_pb2.AuditChain(tenant_id=owner.tenant_id)
    with pytest.raises(PermissionDenied):
        await stub.ListAuditEvents(audit_pb2.ListAuditEventsRequest(chain=theirs), context=stranger)
    with pytest.raises(PermissionDenied):
        await stub.RecordAuditEvent(
            audit_pb2.RecordAuditEventRequest(action="a.b", outcome=audit_pb2.AUDIT_OUTCOME_DONE, chain=theirs),
            context=stranger,
        )
    assert {row["tenant_id"] for row in await listed(stub, stranger)} == {stranger.tenant_id}
    operator = RequestContext("op", tenant_id=stranger.tenant_id, operator=True)
    found = await stub.ListAuditEvents(audit_pb2.ListAuditEventsRequest(chain=theirs), context=operator)
    assert {json.loads(event.document)["tenant_id"] for event in found.events} == {owner.tenant_id}


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "no dot"},
        {"resource_id": "a\nb"},
        {"resource_id": "x" * 256},
        {"before_json": "[1]"},
        {"after_json": "{"},
        {"after_json": '{"a": "\\u0000"}'},
        {"after_json": '{"a": "\\ud800"}'},
    ],
    ids=str,
)
async def test_what_another_service_tells_is_checked(stub: AuthServiceStub, wrong: dict[str, str]) -> None:
    owner = await register(stub)
    fields: dict[str, Any] = {"action": "document.delete", "outcome": audit_pb2.AUDIT_OUTCOME_DONE} | wrong
    with pytest.raises(InvalidArgument):
        await stub.RecordAuditEvent(audit_pb2.RecordAuditEventRequest(**fields), context=owner)


async def test_too_much_detail_is_left_out_and_said_so(stub: AuthServiceStub) -> None:
    owner = await register(stub)
    request = audit_pb2.RecordAuditEventRequest(
        action="budget.update", outcome=audit_pb2.AUDIT_OUTCOME_DONE, after_json=json.dumps({"a": "x" * 20_000})
    )
    await stub.RecordAuditEvent(request, context=owner)
    (row,) = await listed(stub, owner, action="budget.update")
    assert row["after"] == {"omitted_bytes": 20_008}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET document = document",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "DELETE FROM audit_heads",
        "TRUNCATE audit_heads",
    ],
)
async def test_the_service_itself_cannot_change_or_remove_a_row(
    stub: AuthServiceStub, migrated: Callable[[str], DatabaseSettings], statement: str
) -> None:
    await register(stub)
    connection = await connected(migrated("auth_service"), owner=False)
    try:
        await connection.execute("SELECT set_config('aisp.tenant', '*', false)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


REWRITE = """UPDATE audit_events SET (document, hash) = (
    SELECT d, sha256(convert_to(d, 'UTF8')) FROM (SELECT replace(document, 'api_key', 'apikeys') AS d) AS x)"""
REWRITE_LAST = """
    WITH made AS ({rewrite} WHERE {mine} AND sequence = 6 RETURNING hash)
    UPDATE audit_heads SET hash = (SELECT hash FROM made) WHERE {mine}"""
CUT_BACK = """
    WITH gone AS (DELETE FROM audit_events WHERE {mine} AND sequence = 6)
    UPDATE audit_heads SET sequence = 5, hash = (SELECT hash FROM audit_events WHERE {mine} AND sequence = 5)
    WHERE {mine}"""
TAMPERED = {
    "a changed row": (
        "UPDATE audit_events SET document = replace(document, 'api_key', 'apikeys') WHERE {mine} AND sequence = 4",
        "row 4 was changed",
    ),
    "a removed row": ("DELETE FROM audit_events WHERE {mine} AND sequence = 3", "row 3 is missing"),
    "a removed end": ("DELETE FROM audit_events WHERE {mine} AND sequence >= 5", "row 5 is missing"),
    "a changed row with its hash made anew": (
        "{rewrite} WHERE {mine} AND sequence = 4",
        "row 5 does not follow row 4",
    ),
    "a changed last row, its hash and the head made anew": (
        REWRITE_LAST,
        "row 6 is not the one that was signed",
    ),
    "a removed end, with the head set back": (CUT_BACK, "row 5 is not the one that was signed"),
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_the_command_names_the_first_broken_row(
    stub: AuthServiceStub, migrated: Callable[[str], DatabaseSettings], how: str
) -> None:
    settings = migrated("auth_service")
    owner, other = await register(stub), await register(stub)
    for n in range(4):
        await stub.CreateApiKey(pb.CreateApiKeyRequest(name=f"k{n}"), context=owner)
    whole = verify(settings, owner.tenant_id)
    assert (whole.returncode, whole.stdout.strip()) == (0, f"{owner.tenant_id}: 6 rows, whole")
    statement, expected = TAMPERED[how]
    connection = await connected(settings, owner=True)
    try:
        await connection.execute("SELECT set_config('aisp.tenant', '*', false)")
        await connection.execute(statement.format(mine=f"tenant_id = '{owner.tenant_id}'", rewrite=REWRITE))
    finally:
        await connection.close()
    broken = verify(settings)
    assert broken.returncode == 1
    lines = dict(line.split(": ", 1) for line in broken.stdout.splitlines())
    assert lines[owner.tenant_id].startswith(expected)
    assert lines[other.tenant_id] == "2 rows, whole"


def verify(settings: DatabaseSettings, tenant: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "AI_PLATFORM_DATABASE__HOST": settings.host,
        "AI_PLATFORM_DATABASE__PORT": str(settings.port),
        "AI_PLATFORM_DATABASE__PASSWORD": settings.password.get_secret_value(),
        "AI_PLATFORM_JWT__SECRET_KEY": SECRET,
    }
    command = [sys.executable, "-m", "auth_service", "audit", "verify", *(["--tenant", tenant] if tenant else [])]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
