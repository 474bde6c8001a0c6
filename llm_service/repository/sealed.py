"""The secrets that the service keeps, and what each is bound to."""

from chassis.sealed_rows import Sealed
from llm_service.repository.tables import guardrails, provider_keys

SEALED = (
    Sealed(provider_keys.c.sealed, lambda row: ("provider_keys", row.tenant_id or "", row.id)),
    Sealed(guardrails.c.credential, lambda row: (row.tenant_id, row.id)),
)
