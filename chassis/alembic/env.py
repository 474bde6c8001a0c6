"""Alembic's environment, for every service: connects as the database's owner, under an advisory lock.

The section of alembic.ini names the service. The section `alembic` stands for all: it runs the command for each.
"""

import asyncio
import subprocess
import sys
from importlib import import_module
from typing import Any

from alembic import context
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.types import TypeEngine

from chassis.database import url
from chassis.settings import DatabaseSettings, ServiceSettings, load

LOCK_ID = 7_014_922_231
"""Advisory lock: replicas that migrate at once take turns."""

config = context.config


class MigrationSettings(ServiceSettings):
    """Where the databases are."""

    database: DatabaseSettings = DatabaseSettings()


def tables(short_name: str) -> MetaData:
    """The tables that the service's repository declares, for autogenerate and the drift check."""
    found: MetaData = import_module(f"{short_name}_service.repository").metadata
    return found


def differs(_context: object, _found: object, _declared: object, found: TypeEngine[Any], declared: Any) -> bool | None:
    """None: Alembic compares. A declared type may accept another in its place, where a server lacks its own."""
    return False if hasattr(declared, "accepts") and declared.accepts(found) else None


def migrate(connection: Connection, short_name: str) -> None:
    """Runs the revisions in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=tables(short_name),
        compare_type=differs,
        include_name=lambda name, kind, _parents: kind != "table" or name in tables(short_name).tables,
    )
    with context.begin_transaction():
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        connection.execute(text("SELECT set_config('aisp.tenant', '*', true)"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})
        context.run_migrations()


async def connect_and_migrate(short_name: str) -> None:
    """Connects as the owner of the service's database and migrates."""
    settings = load(MigrationSettings)
    engine = create_async_engine(url(settings.database, short_name, owner=True))
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate, short_name)
            await connection.commit()
    finally:
        await engine.dispose()


def migrate_all() -> None:
    """The same command for each service, in processes of their own: Alembic's environment is one to a process."""
    arguments = sys.argv[1:] if config.cmd_opts else ["upgrade", "head"]
    alembic = [sys.executable, "-m", "alembic", "-c", str(config.config_file_name), "-n"]
    names = (config.get_main_option("services") or "").split()
    children = [subprocess.Popen([*alembic, name, *arguments]) for name in names]  # noqa: S603  # our own command again
    failed = [name for name, child in zip(names, children, strict=True) if child.wait()]
    if failed:
        sys.exit(f"failed for: {', '.join(failed)}")
    if config.cmd_opts:
        # What Alembic would do after this belongs to one database.
        sys.exit(0)


if config.config_ini_section == "alembic":
    migrate_all()
else:
    asyncio.run(connect_and_migrate(config.config_ini_section))
