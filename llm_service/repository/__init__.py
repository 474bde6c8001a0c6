"""The only place with SQL: tables and queries."""

from llm_service.repository.tables import CATALOGUE, CHANNEL, metadata

__all__ = ["CATALOGUE", "CHANNEL", "metadata"]
