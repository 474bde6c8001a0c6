"""Makes each service's database and its two roles, on the embedded PostgreSQL or on one of your own (14+).

Safe to repeat. `aisp_<name>_owner` owns and migrates; `aisp_<name>` runs, owns nothing, and is bound by row-level
security. Passwords come from AI_PLATFORM_DATABASE__PASSWORD and __OWNER_PASSWORD; AI_PLATFORM_ROLE_PASSWORDS gives
roles that run passwords of their own, so that who takes over one service cannot log in as another.
"""

from collections.abc import Mapping

import asyncpg
from pydantic import SecretStr

from chassis.settings import DatabaseSettings
from deploy.local.errors import LocalError

SERVICES = ("auth", "usage", "rag", "llm")


async def ensure_databases(
    admin_dsn: str, settings: DatabaseSettings, role_passwords: Mapping[str, SecretStr] | None = None
) -> None:
    """Makes what is missing, and sets the passwords; `role_passwords` by the database's short name go before
    `settings`. LocalError if the server or the rights are not there.
    """
    owner_password = settings.owner_password.get_secret_value()
    passwords = {name: (role_passwords or {}).get(name, settings.password).get_secret_value() for name in SERVICES}
    if not owner_password or not all(passwords.values()):
        raise LocalError(
            "set AI_PLATFORM_DATABASE__PASSWORD and AI_PLATFORM_DATABASE__OWNER_PASSWORD (see .env.example)"
        )
    try:
        admin = await asyncpg.connect(admin_dsn, timeout=10)
        try:
            for name in SERVICES:
                await _ensure_roles(admin, f"aisp_{name}", owner_password, passwords[name])
                await _ensure_database(admin, f"aisp_{name}")
        finally:
            await admin.close()
        for name in SERVICES:
            await _ensure_rights(admin_dsn, f"aisp_{name}", vectors=name == "rag")
    except (OSError, asyncpg.PostgresError) as error:
        raise LocalError(f"the PostgreSQL server refused: {error}") from error


async def _ensure_roles(admin: asyncpg.Connection, database: str, owner_password: str, password: str) -> None:
    for role, secret in ((f"{database}_owner", owner_password), (database, password)):
        exists = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
        quoted = await admin.fetchval("SELECT quote_literal($1::text)", secret)
        options = f"LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD {quoted}"
        await admin.execute(f"{'ALTER' if exists else 'CREATE'} ROLE {role} {options}")
    # A managed server's administrator is no superuser: to give a database away it must be a member of the new owner.
    await admin.execute(f"GRANT {database}_owner TO CURRENT_USER")


async def _ensure_database(admin: asyncpg.Connection, database: str) -> None:
    if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
        await admin.execute(f"CREATE DATABASE {database} OWNER {database}_owner ENCODING 'UTF8' TEMPLATE template0")
    await admin.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    await admin.execute(f"GRANT CONNECT ON DATABASE {database} TO {database}")


async def _ensure_rights(admin_dsn: str, database: str, *, vectors: bool) -> None:
    admin = await asyncpg.connect(admin_dsn, database=database, timeout=10)
    try:
        owner = f"{database}_owner"
        await admin.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await admin.execute(f"ALTER SCHEMA public OWNER TO {owner}")
        await admin.execute(f"GRANT USAGE ON SCHEMA public TO {database}")
        default = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT"
        await admin.execute(f"{default} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {database}")
        await admin.execute(f"{default} USAGE, SELECT ON SEQUENCES TO {database}")
        await admin.execute(f"{default} EXECUTE ON FUNCTIONS TO {database}")
        available = await admin.fetchval("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
        if vectors and available:
            await admin.execute("CREATE EXTENSION IF NOT EXISTS vector")
    finally:
        await admin.close()
