"""The tables of usage and every query on them. Returns domain types; decides nothing."""

from usage_service.repository.tables import metadata

__all__ = ["metadata"]
