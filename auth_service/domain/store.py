"""The port to the database: transactions, and all queries that can be made in one."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from auth_service.domain.attempts import AttemptQueries
from auth_service.domain.audit import AuditQueries
from auth_service.domain.changes import ChangeQueries
from auth_service.domain.deletions import DeletionQueries
from auth_service.domain.invitations import InvitationQueries
from auth_service.domain.issuers import IssuerQueries
from auth_service.domain.keys import ApiKeyQueries
from auth_service.domain.links import JobQueries, LinkQueries
from auth_service.domain.people import MemberQueries, PeopleQueries
from auth_service.domain.sessions import SessionQueries
from auth_service.domain.signing import SigningKeyQueries
from auth_service.domain.tenants import TenantQueries


class Repository(
    TenantQueries,
    PeopleQueries,
    MemberQueries,
    InvitationQueries,
    LinkQueries,
    IssuerQueries,
    AttemptQueries,
    SessionQueries,
    ApiKeyQueries,
    ChangeQueries,
    AuditQueries,
    JobQueries,
    SigningKeyQueries,
    DeletionQueries,
    Protocol,
):
    """Queries of one transaction. Every method is bound to the transaction's tenant unless it says otherwise."""


class Store(Protocol):
    """Opens transactions."""

    def transaction(self, tenant_id: str) -> AbstractAsyncContextManager[Repository]:
        """Sees one tenant's rows."""

    def platform(self) -> AbstractAsyncContextManager[Repository]:
        """Sees all rows: for log-ins, keys by id, operators."""
