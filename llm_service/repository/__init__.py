"""The only place with SQL: tables and queries."""

from llm_service.repository.tables import metadata

__all__ = ["metadata"]
