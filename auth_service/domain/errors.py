"""The errors of identity.

Unauthenticated   BadCredentials, BadRefreshToken, BadApiKey
PermissionDenied  TenantSuspended, OperatorOnly, ScopeNotGrantable
NotFound          TenantNotFound, UserNotFound, ApiKeyNotFound
AlreadyExists     EmailTaken
InvalidArgument   WeakPassword
Unavailable       LoginBusy
"""

from chassis.errors import (
    AlreadyExists,
    InvalidArgument,
    NotFound,
    PermissionDenied,
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


class WeakPassword(InvalidArgument):
    reason = "WEAK_PASSWORD"
    message = "The password is too weak."


class ScopeNotGrantable(PermissionDenied):
    reason = "SCOPE_NOT_GRANTABLE"
    message = "A key can only be given scopes that exist and that you have."


class OperatorOnly(PermissionDenied):
    reason = "OPERATOR_ONLY"
    message = "Only an operator may do this."


class LoginBusy(Unavailable):
    reason = "LOGIN_BUSY"
    message = "Too many people log in at this moment; try again in a second."
