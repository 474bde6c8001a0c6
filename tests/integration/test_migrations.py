"""Migrations: from nothing to the newest, again without change, no drift, tenants kept apart by the database."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
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
