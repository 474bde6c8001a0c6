"""AuthService on the wire: protobuf <-> domain, one module a noun. Decides nothing."""

from auth_service.service.audit import Audit
from auth_service.service.changes import Changes
from auth_service.service.keys import Keys
from auth_service.service.profiles import Profiles
from auth_service.service.sessions import Sessions
from auth_service.service.tenants import Tenants
from auth_service.servicer.audit import AuditServicer
from auth_service.servicer.changes import ChangesServicer
from auth_service.servicer.keys import KeysServicer
from auth_service.servicer.profiles import ProfilesServicer
from auth_service.servicer.sessions import SessionsServicer
from auth_service.servicer.tenants import TenantsServicer


class AuthServicer(SessionsServicer, ProfilesServicer, KeysServicer, TenantsServicer, ChangesServicer, AuditServicer):
    """All of it."""

    def __init__(
        self, sessions: Sessions, profiles: Profiles, keys: Keys, tenants: Tenants, changes: Changes, audit: Audit
    ) -> None:
        self._sessions = sessions
        self._profiles = profiles
        self._keys = keys
        self._tenants = tenants
        self._changes = changes
        self._audit = audit
