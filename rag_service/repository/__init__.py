"""The only place with SQL: tables, queries, and the vector store that lives in the same PostgreSQL."""

from rag_service.repository.tables import metadata

__all__ = ["metadata"]
