import datetime

from aisp.auth.v1 import audit_pb2 as _audit_pb2
from aisp.auth.v1 import deletions_pb2 as _deletions_pb2
from aisp.auth.v1 import issuers_pb2 as _issuers_pb2
from aisp.auth.v1 import people_pb2 as _people_pb2
from aisp.auth.v1 import signing_pb2 as _signing_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Subject(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBJECT_UNSPECIFIED: _ClassVar[Subject]
    SUBJECT_TENANT: _ClassVar[Subject]
    SUBJECT_USER: _ClassVar[Subject]
    SUBJECT_SESSION: _ClassVar[Subject]
    SUBJECT_API_KEY: _ClassVar[Subject]
    SUBJECT_SIGNING_KEYS: _ClassVar[Subject]

class TenantStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TENANT_STATUS_UNSPECIFIED: _ClassVar[TenantStatus]
    TENANT_STATUS_ACTIVE: _ClassVar[TenantStatus]
    TENANT_STATUS_SUSPENDED: _ClassVar[TenantStatus]
    TENANT_STATUS_DELETING: _ClassVar[TenantStatus]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_EMAIL_TAKEN: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_CREDENTIALS: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_REFRESH_TOKEN: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_API_KEY: _ClassVar[ErrorReason]
    ERROR_REASON_API_KEY_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_TENANT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_TENANT_SUSPENDED: _ClassVar[ErrorReason]
    ERROR_REASON_WEAK_PASSWORD: _ClassVar[ErrorReason]
    ERROR_REASON_SCOPE_NOT_GRANTABLE: _ClassVar[ErrorReason]
    ERROR_REASON_OPERATOR_ONLY: _ClassVar[ErrorReason]
    ERROR_REASON_USER_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_LOGIN_BUSY: _ClassVar[ErrorReason]
    ERROR_REASON_ROLE_NOT_GRANTABLE: _ClassVar[ErrorReason]
    ERROR_REASON_LAST_OWNER: _ClassVar[ErrorReason]
    ERROR_REASON_MEMBER_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_ALREADY_MEMBER: _ClassVar[ErrorReason]
    ERROR_REASON_INVITATION_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_LINK: _ClassVar[ErrorReason]
    ERROR_REASON_SESSION_NEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_SESSION_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_MANY: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_MANY_ATTEMPTS: _ClassVar[ErrorReason]
    ERROR_REASON_MAIL_FAILED: _ClassVar[ErrorReason]
    ERROR_REASON_MAIL_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_KEY_TOO_WIDE: _ClassVar[ErrorReason]
    ERROR_REASON_SESSION_ENDED: _ClassVar[ErrorReason]
    ERROR_REASON_NO_SIGNING_KEYS: _ClassVar[ErrorReason]
    ERROR_REASON_SIGNING_KEYS_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_ASSERTION: _ClassVar[ErrorReason]
    ERROR_REASON_IDENTITY_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_ISSUER_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_ISSUER_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_OWNER_ONLY: _ClassVar[ErrorReason]
    ERROR_REASON_TENANT_DELETED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_CONFIRMED: _ClassVar[ErrorReason]
    ERROR_REASON_SESSION_TOO_OLD: _ClassVar[ErrorReason]
    ERROR_REASON_OPERATORS_TENANT: _ClassVar[ErrorReason]
    ERROR_REASON_DELETION_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_DELETION_BEGUN: _ClassVar[ErrorReason]
SUBJECT_UNSPECIFIED: Subject
SUBJECT_TENANT: Subject
SUBJECT_USER: Subject
SUBJECT_SESSION: Subject
SUBJECT_API_KEY: Subject
SUBJECT_SIGNING_KEYS: Subject
TENANT_STATUS_UNSPECIFIED: TenantStatus
TENANT_STATUS_ACTIVE: TenantStatus
TENANT_STATUS_SUSPENDED: TenantStatus
TENANT_STATUS_DELETING: TenantStatus
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_EMAIL_TAKEN: ErrorReason
ERROR_REASON_BAD_CREDENTIALS: ErrorReason
ERROR_REASON_BAD_REFRESH_TOKEN: ErrorReason
ERROR_REASON_BAD_API_KEY: ErrorReason
ERROR_REASON_API_KEY_NOT_FOUND: ErrorReason
ERROR_REASON_TENANT_NOT_FOUND: ErrorReason
ERROR_REASON_TENANT_SUSPENDED: ErrorReason
ERROR_REASON_WEAK_PASSWORD: ErrorReason
ERROR_REASON_SCOPE_NOT_GRANTABLE: ErrorReason
ERROR_REASON_OPERATOR_ONLY: ErrorReason
ERROR_REASON_USER_NOT_FOUND: ErrorReason
ERROR_REASON_LOGIN_BUSY: ErrorReason
ERROR_REASON_ROLE_NOT_GRANTABLE: ErrorReason
ERROR_REASON_LAST_OWNER: ErrorReason
ERROR_REASON_MEMBER_NOT_FOUND: ErrorReason
ERROR_REASON_ALREADY_MEMBER: ErrorReason
ERROR_REASON_INVITATION_NOT_FOUND: ErrorReason
ERROR_REASON_BAD_LINK: ErrorReason
ERROR_REASON_SESSION_NEEDED: ErrorReason
ERROR_REASON_SESSION_NOT_FOUND: ErrorReason
ERROR_REASON_TOO_MANY: ErrorReason
ERROR_REASON_TOO_MANY_ATTEMPTS: ErrorReason
ERROR_REASON_MAIL_FAILED: ErrorReason
ERROR_REASON_MAIL_REFUSED: ErrorReason
ERROR_REASON_KEY_TOO_WIDE: ErrorReason
ERROR_REASON_SESSION_ENDED: ErrorReason
ERROR_REASON_NO_SIGNING_KEYS: ErrorReason
ERROR_REASON_SIGNING_KEYS_UNAVAILABLE: ErrorReason
ERROR_REASON_BAD_ASSERTION: ErrorReason
ERROR_REASON_IDENTITY_REFUSED: ErrorReason
ERROR_REASON_ISSUER_NOT_FOUND: ErrorReason
ERROR_REASON_ISSUER_UNAVAILABLE: ErrorReason
ERROR_REASON_OWNER_ONLY: ErrorReason
ERROR_REASON_TENANT_DELETED: ErrorReason
ERROR_REASON_NOT_CONFIRMED: ErrorReason
ERROR_REASON_SESSION_TOO_OLD: ErrorReason
ERROR_REASON_OPERATORS_TENANT: ErrorReason
ERROR_REASON_DELETION_NOT_FOUND: ErrorReason
ERROR_REASON_DELETION_BEGUN: ErrorReason

class RegisterRequest(_message.Message):
    __slots__ = ("email", "password", "full_name", "tenant_name")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    FULL_NAME_FIELD_NUMBER: _ClassVar[int]
    TENANT_NAME_FIELD_NUMBER: _ClassVar[int]
    email: str
    password: str
    full_name: str
    tenant_name: str
    def __init__(self, email: _Optional[str] = ..., password: _Optional[str] = ..., full_name: _Optional[str] = ..., tenant_name: _Optional[str] = ...) -> None: ...

class RegisterResponse(_message.Message):
    __slots__ = ("tenant", "user", "tokens", "confirmation_sent")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_SENT_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    user: User
    tokens: TokenPair
    confirmation_sent: bool
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ..., user: _Optional[_Union[User, _Mapping]] = ..., tokens: _Optional[_Union[TokenPair, _Mapping]] = ..., confirmation_sent: bool = ...) -> None: ...

class ConfirmRegistrationRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class ConfirmRegistrationResponse(_message.Message):
    __slots__ = ("tenant", "user", "tokens")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    user: User
    tokens: TokenPair
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ..., user: _Optional[_Union[User, _Mapping]] = ..., tokens: _Optional[_Union[TokenPair, _Mapping]] = ...) -> None: ...

class IssueTokenRequest(_message.Message):
    __slots__ = ("password", "refresh_token", "assertion", "tenant_id")
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    password: PasswordGrant
    refresh_token: str
    assertion: str
    tenant_id: str
    def __init__(self, password: _Optional[_Union[PasswordGrant, _Mapping]] = ..., refresh_token: _Optional[str] = ..., assertion: _Optional[str] = ..., tenant_id: _Optional[str] = ...) -> None: ...

class PasswordGrant(_message.Message):
    __slots__ = ("email", "password")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    email: str
    password: str
    def __init__(self, email: _Optional[str] = ..., password: _Optional[str] = ...) -> None: ...

class IssueTokenResponse(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: TokenPair
    def __init__(self, tokens: _Optional[_Union[TokenPair, _Mapping]] = ...) -> None: ...

class AcceptInvitationResponse(_message.Message):
    __slots__ = ("tenant", "user", "tokens")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    user: User
    tokens: TokenPair
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ..., user: _Optional[_Union[User, _Mapping]] = ..., tokens: _Optional[_Union[TokenPair, _Mapping]] = ...) -> None: ...

class RevokeSessionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RevokeSessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetTenantRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetTenantResponse(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ...) -> None: ...

class UpdateTenantRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class UpdateTenantResponse(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ...) -> None: ...

class GetUserRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetUserResponse(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: User
    def __init__(self, user: _Optional[_Union[User, _Mapping]] = ...) -> None: ...

class UpdateUserRequest(_message.Message):
    __slots__ = ("full_name", "password", "current_password")
    FULL_NAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    CURRENT_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    full_name: str
    password: str
    current_password: str
    def __init__(self, full_name: _Optional[str] = ..., password: _Optional[str] = ..., current_password: _Optional[str] = ...) -> None: ...

class UpdateUserResponse(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: User
    def __init__(self, user: _Optional[_Union[User, _Mapping]] = ...) -> None: ...

class CreateApiKeyRequest(_message.Message):
    __slots__ = ("name", "scopes", "expire_time", "limits", "models", "networks", "answer_cache_seconds")
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_CACHE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    expire_time: _timestamp_pb2.Timestamp
    limits: _containers.ScalarMap[str, int]
    models: _containers.RepeatedScalarFieldContainer[str]
    networks: _containers.RepeatedScalarFieldContainer[str]
    answer_cache_seconds: int
    def __init__(self, name: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limits: _Optional[_Mapping[str, int]] = ..., models: _Optional[_Iterable[str]] = ..., networks: _Optional[_Iterable[str]] = ..., answer_cache_seconds: _Optional[int] = ...) -> None: ...

class CreateApiKeyResponse(_message.Message):
    __slots__ = ("api_key", "secret")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    api_key: ApiKey
    secret: str
    def __init__(self, api_key: _Optional[_Union[ApiKey, _Mapping]] = ..., secret: _Optional[str] = ...) -> None: ...

class ListApiKeysRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListApiKeysResponse(_message.Message):
    __slots__ = ("api_keys", "next_page_token")
    API_KEYS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    api_keys: _containers.RepeatedCompositeFieldContainer[ApiKey]
    next_page_token: str
    def __init__(self, api_keys: _Optional[_Iterable[_Union[ApiKey, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetApiKeyRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetApiKeyResponse(_message.Message):
    __slots__ = ("api_key",)
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    api_key: ApiKey
    def __init__(self, api_key: _Optional[_Union[ApiKey, _Mapping]] = ...) -> None: ...

class RevokeApiKeyRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class RevokeApiKeyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RotateApiKeyRequest(_message.Message):
    __slots__ = ("id", "overlap_seconds")
    ID_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    overlap_seconds: int
    def __init__(self, id: _Optional[str] = ..., overlap_seconds: _Optional[int] = ...) -> None: ...

class RotateApiKeyResponse(_message.Message):
    __slots__ = ("api_key", "secret")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    api_key: ApiKey
    secret: str
    def __init__(self, api_key: _Optional[_Union[ApiKey, _Mapping]] = ..., secret: _Optional[str] = ...) -> None: ...

class VerifyApiKeyRequest(_message.Message):
    __slots__ = ("secret",)
    SECRET_FIELD_NUMBER: _ClassVar[int]
    secret: str
    def __init__(self, secret: _Optional[str] = ...) -> None: ...

class VerifyApiKeyResponse(_message.Message):
    __slots__ = ("principal",)
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    principal: Principal
    def __init__(self, principal: _Optional[_Union[Principal, _Mapping]] = ...) -> None: ...

class VerifySessionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VerifySessionResponse(_message.Message):
    __slots__ = ("principal",)
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    principal: Principal
    def __init__(self, principal: _Optional[_Union[Principal, _Mapping]] = ...) -> None: ...

class WatchChangesRequest(_message.Message):
    __slots__ = ("since_version",)
    SINCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    since_version: int
    def __init__(self, since_version: _Optional[int] = ...) -> None: ...

class WatchChangesResponse(_message.Message):
    __slots__ = ("version", "changes", "reset")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    version: int
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    reset: bool
    def __init__(self, version: _Optional[int] = ..., changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ..., reset: bool = ...) -> None: ...

class ListTenantsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTenantsResponse(_message.Message):
    __slots__ = ("tenants", "next_page_token")
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenants: _containers.RepeatedCompositeFieldContainer[Tenant]
    next_page_token: str
    def __init__(self, tenants: _Optional[_Iterable[_Union[Tenant, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateTenantRequest(_message.Message):
    __slots__ = ("name", "owner_email", "plan")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_EMAIL_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    name: str
    owner_email: str
    plan: str
    def __init__(self, name: _Optional[str] = ..., owner_email: _Optional[str] = ..., plan: _Optional[str] = ...) -> None: ...

class CreateTenantResponse(_message.Message):
    __slots__ = ("tenant", "password_secret", "password_link")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_SECRET_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_LINK_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    password_secret: str
    password_link: str
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ..., password_secret: _Optional[str] = ..., password_link: _Optional[str] = ...) -> None: ...

class LookUpTenantRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class LookUpTenantResponse(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ...) -> None: ...

class AdministerTenantRequest(_message.Message):
    __slots__ = ("id", "plan", "status", "limits_changed")
    ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    id: str
    plan: str
    status: TenantStatus
    limits_changed: bool
    def __init__(self, id: _Optional[str] = ..., plan: _Optional[str] = ..., status: _Optional[_Union[TenantStatus, str]] = ..., limits_changed: bool = ...) -> None: ...

class AdministerTenantResponse(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ...) -> None: ...

class Tenant(_message.Message):
    __slots__ = ("id", "name", "plan", "status", "version", "create_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    plan: str
    status: TenantStatus
    version: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., plan: _Optional[str] = ..., status: _Optional[_Union[TenantStatus, str]] = ..., version: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class User(_message.Message):
    __slots__ = ("id", "email", "full_name", "role", "create_time", "scopes")
    ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    FULL_NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    id: str
    email: str
    full_name: str
    role: str
    create_time: _timestamp_pb2.Timestamp
    scopes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., email: _Optional[str] = ..., full_name: _Optional[str] = ..., role: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scopes: _Optional[_Iterable[str]] = ...) -> None: ...

class TokenPair(_message.Message):
    __slots__ = ("access_token", "refresh_token", "expires_in_seconds")
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    refresh_token: str
    expires_in_seconds: int
    def __init__(self, access_token: _Optional[str] = ..., refresh_token: _Optional[str] = ..., expires_in_seconds: _Optional[int] = ...) -> None: ...

class ApiKey(_message.Message):
    __slots__ = ("id", "name", "prefix", "scopes", "limits", "create_time", "expire_time", "last_use_time", "models", "networks", "answer_cache_seconds")
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_TIME_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_CACHE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    prefix: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    limits: _containers.ScalarMap[str, int]
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    last_use_time: _timestamp_pb2.Timestamp
    models: _containers.RepeatedScalarFieldContainer[str]
    networks: _containers.RepeatedScalarFieldContainer[str]
    answer_cache_seconds: int
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., prefix: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., limits: _Optional[_Mapping[str, int]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_use_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., models: _Optional[_Iterable[str]] = ..., networks: _Optional[_Iterable[str]] = ..., answer_cache_seconds: _Optional[int] = ...) -> None: ...

class Principal(_message.Message):
    __slots__ = ("tenant", "user_id", "key_id", "scopes", "key_version", "key_limits", "expire_time", "models", "networks", "operator", "answer_cache_seconds")
    class KeyLimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    TENANT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    KEY_VERSION_FIELD_NUMBER: _ClassVar[int]
    KEY_LIMITS_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    ANSWER_CACHE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    user_id: str
    key_id: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    key_version: int
    key_limits: _containers.ScalarMap[str, int]
    expire_time: _timestamp_pb2.Timestamp
    models: _containers.RepeatedScalarFieldContainer[str]
    networks: _containers.RepeatedScalarFieldContainer[str]
    operator: bool
    answer_cache_seconds: int
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ..., user_id: _Optional[str] = ..., key_id: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., key_version: _Optional[int] = ..., key_limits: _Optional[_Mapping[str, int]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., models: _Optional[_Iterable[str]] = ..., networks: _Optional[_Iterable[str]] = ..., operator: bool = ..., answer_cache_seconds: _Optional[int] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("subject", "id")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    id: str
    def __init__(self, subject: _Optional[_Union[Subject, str]] = ..., id: _Optional[str] = ...) -> None: ...
