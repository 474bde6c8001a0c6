"""No secret at rest is forgotten when all are encrypted anew."""

from importlib import import_module

import pytest
import sqlalchemy as sa

NO_SECRETS = {
    "jobs.context": "signed, not sealed, and short-lived",
    "responses.input": "customers' words, as documents are",
    "responses.document": "customers' words",
    "refresh_tokens.hash": "a hash",
    "api_keys.secret_hash": "a hash",
    "attempts.name": "a hash",
    "audit_events.hash": "a hash",
    "audit_heads.hash": "a hash",
    "audit_heads.signature": "signed anew by auth_service itself",
    "signing_keys.public": "public",
    "signing_keys.sealed": "encrypted anew by auth_service itself, beside a rotation",
}
"""Columns of bytes that `reencrypt` leaves alone, and why."""


@pytest.mark.parametrize("service", ["auth_service", "usage_service", "llm_service"])
def test_every_column_of_bytes_is_encrypted_anew_or_says_why_not(service: str) -> None:
    metadata = import_module(f"{service}.repository.tables").metadata
    try:
        sealed = {str(one.column) for one in import_module(f"{service}.repository.sealed").SEALED}
    except ModuleNotFoundError:
        sealed = set()
    columns = [column for table in metadata.sorted_tables for column in table.c]
    found = {str(column) for column in columns if isinstance(column.type, sa.LargeBinary)}
    assert found - sealed - set(NO_SECRETS) == set()
    assert sealed <= found
