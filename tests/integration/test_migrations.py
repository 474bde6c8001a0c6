"""Migrations: from nothing to the newest, again without change, no drift, tenants kept apart by the database."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chassis.settings import DatabaseSettings

ROOT = Path(__file__).parents[2]
SERVICES = ("auth", "usage", "rag", "llm")
DOWN_AND_UP = """
import sys
from alembic import command, config
service = config.Config("alembic.ini", ini_section=sys.argv[1])
command.downgrade(service, "base")
command.upgrade(service, "head")
"""


@pytest.fixture(scope="module")
def environment(postgres: DatabaseSettings) -> dict[str, str]:
    return os.environ | {
        "AI_PLATFORM_DATABASE__HOST": postgres.host,
        "AI_PLATFORM_DATABASE__PORT": str(postgres.port),
        "AI_PLATFORM_DATABASE__PASSWORD": postgres.password.get_secret_value(),
        "AI_PLATFORM_DATABASE__OWNER_PASSWORD": postgres.owner_password.get_secret_value(),
    }


@pytest.fixture(scope="module")
def upgraded(environment: dict[str, str]) -> dict[str, str]:
    """Every database at its newest schema, as one command does it; it was down to nothing again."""
    done = alembic(environment, "upgrade", "head")
    assert done.returncode == 0, done.stderr
    children = [
        subprocess.Popen([sys.executable, "-c", DOWN_AND_UP, short], cwd=ROOT, env=environment, stderr=subprocess.PIPE)
        for short in SERVICES
    ]
    said = [child.communicate(timeout=120)[1].decode() for child in children]
    assert [text for text, child in zip(said, children, strict=True) if child.returncode] == []
    return environment


def alembic(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "alembic", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


Connect = Callable[..., Any]


@pytest.fixture
def connect(postgres: DatabaseSettings) -> Connect:
    """Connects to a service's database, as its runtime role or its owner."""

    def open_connection(short: str, role: str | None = None, *, owner: bool = False) -> Any:
        secret = postgres.owner_password if owner else postgres.password
        return asyncpg.connect(
            host=postgres.host,
            port=postgres.port,
            user=role or f"aisp_{short}{'_owner' if owner else ''}",
            password=secret.get_secret_value(),
            database=f"aisp_{short}",
        )

    return open_connection


TABLES = """
    SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, o.rolname AS owner,
           EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
                   AND NOT a.attisdropped) AS of_tenants
    FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> 'alembic_version' ORDER BY 1
"""


@pytest.mark.parametrize("short", SERVICES)
async def test_a_service_has_tables_that_its_owner_owns(short: str, upgraded: object, connect: Connect) -> None:
    connection = await connect(short)
    try:
        rows = await connection.fetch(TABLES)
    finally:
        await connection.close()
    assert rows
    assert {row["owner"] for row in rows} == {f"aisp_{short}_owner"}


@pytest.mark.parametrize("short", SERVICES)
def test_again_changes_nothing_and_nothing_drifted(short: str, upgraded: dict[str, str]) -> None:
    """What the repository declares is what the migrations make."""
    assert alembic(upgraded, "-n", short, "upgrade", "head").returncode == 0
    checked = alembic(upgraded, "-n", short, "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_all_at_once_are_current(upgraded: dict[str, str]) -> None:
    shown = alembic(upgraded, "current")
    assert shown.returncode == 0, shown.stderr
    assert [line.split()[0] for line in shown.stdout.splitlines() if "(head)" in line] == [
        line.split()[0] for line in shown.stdout.splitlines() if line
    ]
    assert shown.stdout.count("(head)") == len(SERVICES)


@pytest.mark.parametrize("short", SERVICES)
async def test_rows_of_tenants_are_kept_apart_by_the_database(short: str, upgraded: object, connect: Connect) -> None:
    connection = await connect(short)
    try:
        rows = await connection.fetch(TABLES)
    finally:
        await connection.close()
    open_tables = [row["name"] for row in rows if row["of_tenants"] and not (row["enabled"] and row["forced"])]
    assert open_tables == []


@pytest.mark.parametrize("short", SERVICES)
async def test_without_a_tenant_nothing_is_seen(short: str, upgraded: object, connect: Connect) -> None:
    connection = await connect(short)
    try:
        for row in await connection.fetch(TABLES):
            if row["of_tenants"]:
                assert await connection.fetchval(f'SELECT count(*) FROM "{row["name"]}"') == 0  # noqa: S608
    finally:
        await connection.close()


async def test_one_tenant_cannot_write_for_another(upgraded: object, connect: Connect) -> None:
    mine, other = str(uuid.uuid4()), str(uuid.uuid4())
    connection = await connect("rag")
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('aisp.tenant', $1, true)", mine)
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                async with connection.transaction():
                    await connection.execute(
                        "INSERT INTO collections (id, tenant_id, name) VALUES ($1, $2, 'x')", str(uuid.uuid4()), other
                    )
    finally:
        await connection.close()


@pytest.mark.parametrize("short", SERVICES)
async def test_the_runtime_role_owns_and_alters_nothing(short: str, upgraded: object, connect: Connect) -> None:
    connection = await connect(short)
    try:
        role = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
        assert not any(role.values())
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE mine (id int)")
        (first, *_rest) = await connection.fetch(TABLES)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f'ALTER TABLE "{first["name"]}" DISABLE ROW LEVEL SECURITY')
    finally:
        await connection.close()


@pytest.mark.parametrize("short", SERVICES)
async def test_no_role_enters_anothers_database(short: str, postgres: DatabaseSettings, connect: Connect) -> None:
    for other in SERVICES:
        if other == short:
            continue
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connect(short, f"aisp_{other}")


def test_replicas_that_migrate_at_once_take_turns(environment: dict[str, str], upgraded: object) -> None:
    async def several() -> list[int]:
        command = [sys.executable, "-m", "usage_service", "migrate"]
        children = [
            await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.DEVNULL)
            for _ in range(3)
        ]
        return [await child.wait() for child in children]

    assert asyncio.run(several()) == [0, 0, 0]


OLD_EVENT = """
    INSERT INTO events VALUES ($1, 'settle', $2, $3, 'settled', true, 'r', 'u', 'k', 'llm', 'm', 'p',
        1, $4, 0, 0, 0, 0, 0, '[]', now())
"""


async def test_what_was_booked_before_bookings_were_numbered_is_proved(
    upgraded: dict[str, str], connect: Connect
) -> None:
    assert alembic(upgraded, "-n", "usage", "downgrade", "usage_0009").returncode == 0
    owner, tenant, day = await connect("usage", owner=True), uuid.uuid4(), date(1999, 12, 31)
    try:
        await owner.execute("SET aisp.tenant = '*'")
        for hour, tokens in ((0, 7), (23, 5), (23, 6)):
            milliseconds = (day.toordinal() - date(1970, 1, 1).toordinal()) * 86_400_000 + hour * 3_600_000 + tokens
            await owner.execute(OLD_EVENT, uuid.UUID(int=(milliseconds << 80) + 1), day, tenant, tokens)
        assert alembic(upgraded, "-n", "usage", "upgrade", "head").returncode == 0
        proved = await owner.fetch("SELECT hour, requests, input_tokens FROM proofs WHERE day = $1 ORDER BY 1", day)
        assert [tuple(row) for row in proved] == [(0, 1, 7), (23, 2, 11)]
        (row,) = await owner.fetch("SELECT booked, proved, doubted FROM days WHERE day = $1", day)
        assert tuple(row) == (0, 0, True)
        await owner.execute("DELETE FROM events WHERE day = $1", day)
        await owner.execute("DELETE FROM proofs WHERE day = $1", day)
        await owner.execute("DELETE FROM days WHERE day = $1", day)
    finally:
        await owner.close()
