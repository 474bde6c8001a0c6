"""Alembic's environment, for every service: connects as the database's owner, under an advisory lock.

The section of alembic.ini names the service. The section `alembic` stands for all: it runs the command for each.
"""

import asyncio
from importlib import import_module

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine

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


def migrate(connection: Connection, short_name: str) -> None:
    """Runs the revisions in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=tables(short_name),
        compare_type=True,
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
    """The same command for each service."""
    options = config.cmd_opts
    verb = options.cmd[0].__name__ if options else "upgrade"
    for name in (config.get_main_option("services") or "").split():
        one = Config(config.config_file_name, ini_section=name)
        if verb == "current":
            command.current(one)
        elif verb == "check":
            command.check(one)
        else:
            getattr(command, verb)(one, getattr(options, "revision", None) or "head")


if config.config_ini_section == "alembic":
    migrate_all()
else:
    asyncio.run(connect_and_migrate(config.config_ini_section))
