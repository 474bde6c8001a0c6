"""Queries on the tables of identity: the only SQLAlchemy. Returns domain types; decides nothing."""

from auth_service.repository.changes import CHANNEL
from auth_service.repository.store import PostgresStore
from auth_service.repository.tables import metadata

__all__ = ["CHANNEL", "PostgresStore", "metadata"]
