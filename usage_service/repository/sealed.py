"""The secrets that the service keeps, and what each is bound to."""

from chassis.sealed_rows import Sealed
from usage_service.repository.tables import webhooks

SEALED = tuple(
    Sealed(column, lambda row: (row.tenant_id, row.id)) for column in (webhooks.c.secret, webhooks.c.old_secret)
)
