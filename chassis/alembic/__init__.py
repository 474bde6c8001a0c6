"""The one Alembic environment. Services own only their revisions, in their `migrations` folders."""
