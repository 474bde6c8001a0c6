"""AuthService on the wire: protobuf <-> domain, one module a noun. Decides nothing."""

from dataclasses import dataclass

from auth_service.service.audit import Audit
from auth_service.service.changes import Changes
from auth_service.service.deletions import Deletions
from auth_service.service.invitations import Invitations
from auth_service.service.issuers import Issuers
from auth_service.service.keys import Keys
from auth_service.service.members import Members
from auth_service.service.principals import Principals
from auth_service.service.profiles import Profiles
from auth_service.service.registrations import Registrations
from auth_service.service.resets import Resets
from auth_service.service.sessions import Sessions
from auth_service.service.signing import SigningKeys
from auth_service.service.tenants import Tenants
from auth_service.servicer.audit import AuditServicer
from auth_service.servicer.changes import ChangesServicer
from auth_service.servicer.deletions import DeletionsServicer
from auth_service.servicer.issuers import IssuersServicer
from auth_service.servicer.keys import KeysServicer
from auth_service.servicer.members import MembersServicer
from auth_service.servicer.profiles import ProfilesServicer
from auth_service.servicer.sessions import SessionsServicer
from auth_service.servicer.signing import SigningServicer
from auth_service.servicer.tenants import TenantsServicer


@dataclass(frozen=True)
class UseCases:
    """All that the service does."""

    sessions: Sessions
    registrations: Registrations
    resets: Resets
    profiles: Profiles
    members: Members
    invitations: Invitations
    issuers: Issuers
    keys: Keys
    tenants: Tenants
    changes: Changes
    audit: Audit
    principals: Principals
    signing: SigningKeys
    deletions: Deletions


class AuthServicer(
    SessionsServicer,
    ProfilesServicer,
    MembersServicer,
    IssuersServicer,
    KeysServicer,
    TenantsServicer,
    ChangesServicer,
    AuditServicer,
    SigningServicer,
    DeletionsServicer,
):
    """All of it."""

    def __init__(self, use_cases: UseCases) -> None:
        self._sessions = use_cases.sessions
        self._registrations = use_cases.registrations
        self._resets = use_cases.resets
        self._profiles = use_cases.profiles
        self._members = use_cases.members
        self._invitations = use_cases.invitations
        self._issuers = use_cases.issuers
        self._keys = use_cases.keys
        self._tenants = use_cases.tenants
        self._changes = use_cases.changes
        self._audit = use_cases.audit
        self._principals = use_cases.principals
        self._signing = use_cases.signing
        self._deletions = use_cases.deletions
