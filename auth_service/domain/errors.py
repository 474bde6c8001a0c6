"""The errors of identity.

Unauthenticated   BadAssertion, BadCredentials, BadRefreshToken, BadApiKey, SessionEnded
PermissionDenied  TenantSuspended, TenantDeleted, OperatorOnly, OwnerOnly, ScopeNotGrantable, RoleNotGrantable,
                  SessionNeeded, SessionTooOld, KeyTooWide, IdentityRefused
NotFound          TenantNotFound, UserNotFound, ApiKeyNotFound, MemberNotFound, InvitationNotFound, SessionNotFound,
                  IssuerNotFound, DeletionNotFound
AlreadyExists     EmailTaken, AlreadyMember
InvalidArgument   WeakPassword, BadLink, NotConfirmed
FailedPrecondition  LastOwner, TooMany, MailRefused, NoSigningKeys, OperatorsTenant, DeletionBegun
ResourceExhausted TooManyAttempts
Unavailable       LoginBusy, MailFailed, SigningKeysUnavailable, IssuerUnavailable
"""

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)


class EmailTaken(AlreadyExists):
    reason = "EMAIL_TAKEN"
    message = "A user with this e-mail address exists."


class BadCredentials(Unauthenticated):
    reason = "BAD_CREDENTIALS"
    message = "The e-mail address and the password do not match."


class BadRefreshToken(Unauthenticated):
    reason = "BAD_REFRESH_TOKEN"
    message = "The refresh token is not valid (any more); log in again."


class BadApiKey(Unauthenticated):
    reason = "BAD_API_KEY"
    message = "The API key is not valid."


class ApiKeyNotFound(NotFound):
    reason = "API_KEY_NOT_FOUND"
    message = "There is no such API key."


class TenantNotFound(NotFound):
    reason = "TENANT_NOT_FOUND"
    message = "There is no such tenant."


class UserNotFound(NotFound):
    reason = "USER_NOT_FOUND"
    message = "There is no such user."


class TenantSuspended(PermissionDenied):
    reason = "TENANT_SUSPENDED"
    message = "This tenant is suspended."


class TenantDeleted(PermissionDenied):
    reason = "TENANT_DELETED"
    message = "This tenant was deleted."


class OwnerOnly(PermissionDenied):
    reason = "OWNER_ONLY"
    message = "Only an owner of the tenant may do this."


class NotConfirmed(InvalidArgument):
    reason = "NOT_CONFIRMED"
    message = "confirm: must be the name of the tenant that is meant."


class SessionTooOld(PermissionDenied):
    reason = "SESSION_TOO_OLD"
    message = "Log in again with your identity provider first: this needs a session that is young."


class OperatorsTenant(FailedPrecondition):
    reason = "OPERATORS_TENANT"
    message = "An operator belongs to this tenant and to no other: give them another first."


class DeletionNotFound(NotFound):
    reason = "DELETION_NOT_FOUND"
    message = "There is no such deletion."


class DeletionBegun(FailedPrecondition):
    reason = "DELETION_BEGUN"
    message = "Removing has begun; it cannot be taken back."


class WeakPassword(InvalidArgument):
    reason = "WEAK_PASSWORD"
    message = "The password is too weak."


class ScopeNotGrantable(PermissionDenied):
    reason = "SCOPE_NOT_GRANTABLE"
    message = "A key can only be given scopes that exist and that you have."


class KeyTooWide(PermissionDenied):
    reason = "KEY_TOO_WIDE"
    message = "A key cannot make one that may do more than itself."


class SessionEnded(Unauthenticated):
    reason = "SESSION_ENDED"
    message = "The session has ended; log in again."


class NoSigningKeys(FailedPrecondition):
    reason = "NO_SIGNING_KEYS"
    message = "Access tokens are signed with the shared secret: set AI_PLATFORM_JWT__ALGORITHM=EdDSA to use key pairs."


class SigningKeysUnavailable(Unavailable):
    reason = "SIGNING_KEYS_UNAVAILABLE"
    message = "The keys of access tokens are not available at the moment; try again soon."


class OperatorOnly(PermissionDenied):
    reason = "OPERATOR_ONLY"
    message = "Only an operator may do this."


class LoginBusy(Unavailable):
    reason = "LOGIN_BUSY"
    message = "Too many people log in at this moment; try again in a second."


class RoleNotGrantable(PermissionDenied):
    reason = "ROLE_NOT_GRANTABLE"
    message = "You cannot give a role above your own, or change a member who has one."


class LastOwner(FailedPrecondition):
    reason = "LAST_OWNER"
    message = "A tenant needs an owner: make another member owner first."


class MemberNotFound(NotFound):
    reason = "MEMBER_NOT_FOUND"
    message = "There is no such member."


class AlreadyMember(AlreadyExists):
    reason = "ALREADY_MEMBER"
    message = "This person is a member already."


class InvitationNotFound(NotFound):
    reason = "INVITATION_NOT_FOUND"
    message = "There is no such open invitation."


class BadLink(InvalidArgument):
    reason = "BAD_LINK"
    message = "This link was used, taken back or is too old; ask for a new one."


class SessionNeeded(PermissionDenied):
    reason = "SESSION_NEEDED"
    message = "Only a person who has logged in may do this, no API key."


class SessionNotFound(NotFound):
    reason = "SESSION_NOT_FOUND"
    message = "There is no such session."


class TooMany(FailedPrecondition):
    reason = "TOO_MANY"
    message = "There are as many of these as are allowed; remove one first."


class TooManyAttempts(ResourceExhausted):
    reason = "TOO_MANY_ATTEMPTS"
    message = "Too many attempts; wait before you try again."


class MailFailed(Unavailable):
    reason = "MAIL_FAILED"
    message = "The mail server does not answer at the moment."


class MailRefused(FailedPrecondition):
    reason = "MAIL_REFUSED"
    message = "The mail server does not take this mail."


class BadAssertion(Unauthenticated):
    reason = "BAD_ASSERTION"
    message = "The token of the identity provider is not valid here."


class IdentityRefused(PermissionDenied):
    reason = "IDENTITY_REFUSED"


class IssuerNotFound(NotFound):
    reason = "ISSUER_NOT_FOUND"
    message = "There is no such identity provider."


class IssuerUnavailable(Unavailable):
    reason = "ISSUER_UNAVAILABLE"
    message = "The keys of the identity provider cannot be had at the moment; try again soon."
