from aisp.common.v1 import usage_pb2 as _usage_pb2
from aisp.llm.v1 import guardrails_pb2 as _guardrails_pb2
from aisp.llm.v1 import catalogue_pb2 as _catalogue_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Format(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FORMAT_UNSPECIFIED: _ClassVar[Format]
    FORMAT_CHAT_COMPLETIONS: _ClassVar[Format]
    FORMAT_COMPLETIONS: _ClassVar[Format]
    FORMAT_RESPONSES: _ClassVar[Format]
    FORMAT_MESSAGES: _ClassVar[Format]

class Health(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HEALTH_UNSPECIFIED: _ClassVar[Health]
    HEALTH_OK: _ClassVar[Health]
    HEALTH_FAILING: _ClassVar[Health]
    HEALTH_NOT_CONFIGURED: _ClassVar[Health]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_RATE_LIMITED: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_TIMEOUT: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_BAD_ANSWER: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_NOT_CONFIGURED: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_DOCUMENT: _ClassVar[ErrorReason]
    ERROR_REASON_UNSUPPORTED: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_NOT_ALLOWED: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_MODEL: _ClassVar[ErrorReason]
    ERROR_REASON_ALIAS_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_RULES: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_KEY_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_KEY_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_KEY_IN_USE: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_PROVIDER_KEY: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_KEY_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_DEPLOYMENT_BUSY: _ClassVar[ErrorReason]
    ERROR_REASON_RESPONSE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_PREVIOUS_RESPONSE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_RESPONSE_CHAIN_TOO_LONG: _ClassVar[ErrorReason]
    ERROR_REASON_GUARDRAIL_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_GUARDRAIL: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_MANY_GUARDRAILS: _ClassVar[ErrorReason]
    ERROR_REASON_GUARDRAIL_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_GUARDRAIL_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_CATALOGUE_UNREAD: _ClassVar[ErrorReason]
FORMAT_UNSPECIFIED: Format
FORMAT_CHAT_COMPLETIONS: Format
FORMAT_COMPLETIONS: Format
FORMAT_RESPONSES: Format
FORMAT_MESSAGES: Format
HEALTH_UNSPECIFIED: Health
HEALTH_OK: Health
HEALTH_FAILING: Health
HEALTH_NOT_CONFIGURED: Health
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_MODEL_NOT_FOUND: ErrorReason
ERROR_REASON_PROVIDER_REFUSED: ErrorReason
ERROR_REASON_PROVIDER_RATE_LIMITED: ErrorReason
ERROR_REASON_PROVIDER_UNAVAILABLE: ErrorReason
ERROR_REASON_PROVIDER_TIMEOUT: ErrorReason
ERROR_REASON_PROVIDER_BAD_ANSWER: ErrorReason
ERROR_REASON_PROVIDER_NOT_CONFIGURED: ErrorReason
ERROR_REASON_BAD_DOCUMENT: ErrorReason
ERROR_REASON_UNSUPPORTED: ErrorReason
ERROR_REASON_MODEL_NOT_ALLOWED: ErrorReason
ERROR_REASON_MODEL_EXISTS: ErrorReason
ERROR_REASON_BAD_MODEL: ErrorReason
ERROR_REASON_ALIAS_NOT_FOUND: ErrorReason
ERROR_REASON_BAD_RULES: ErrorReason
ERROR_REASON_PROVIDER_KEY_NOT_FOUND: ErrorReason
ERROR_REASON_PROVIDER_KEY_EXISTS: ErrorReason
ERROR_REASON_PROVIDER_KEY_IN_USE: ErrorReason
ERROR_REASON_BAD_PROVIDER_KEY: ErrorReason
ERROR_REASON_PROVIDER_KEY_REFUSED: ErrorReason
ERROR_REASON_DEPLOYMENT_BUSY: ErrorReason
ERROR_REASON_RESPONSE_NOT_FOUND: ErrorReason
ERROR_REASON_PREVIOUS_RESPONSE_NOT_FOUND: ErrorReason
ERROR_REASON_RESPONSE_CHAIN_TOO_LONG: ErrorReason
ERROR_REASON_GUARDRAIL_NOT_FOUND: ErrorReason
ERROR_REASON_BAD_GUARDRAIL: ErrorReason
ERROR_REASON_TOO_MANY_GUARDRAILS: ErrorReason
ERROR_REASON_GUARDRAIL_REFUSED: ErrorReason
ERROR_REASON_GUARDRAIL_UNAVAILABLE: ErrorReason
ERROR_REASON_CATALOGUE_UNREAD: ErrorReason

class CompleteRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: Envelope
    def __init__(self, envelope: _Optional[_Union[Envelope, _Mapping]] = ...) -> None: ...

class CompleteResponse(_message.Message):
    __slots__ = ("body", "completion")
    BODY_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    completion: Completion
    def __init__(self, body: _Optional[bytes] = ..., completion: _Optional[_Union[Completion, _Mapping]] = ...) -> None: ...

class StreamCompleteRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: Envelope
    def __init__(self, envelope: _Optional[_Union[Envelope, _Mapping]] = ...) -> None: ...

class StreamCompleteResponse(_message.Message):
    __slots__ = ("started", "data", "completion", "replayed")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    started: Started
    data: bytes
    completion: Completion
    replayed: bool
    def __init__(self, started: _Optional[_Union[Started, _Mapping]] = ..., data: _Optional[bytes] = ..., completion: _Optional[_Union[Completion, _Mapping]] = ..., replayed: bool = ...) -> None: ...

class CountTokensRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: Envelope
    def __init__(self, envelope: _Optional[_Union[Envelope, _Mapping]] = ...) -> None: ...

class CountTokensResponse(_message.Message):
    __slots__ = ("input_tokens", "exact", "provider")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    exact: bool
    provider: str
    def __init__(self, input_tokens: _Optional[int] = ..., exact: bool = ..., provider: _Optional[str] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("model", "format", "body", "include_usage", "format_version", "format_features", "caching")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_USAGE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_VERSION_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FEATURES_FIELD_NUMBER: _ClassVar[int]
    CACHING_FIELD_NUMBER: _ClassVar[int]
    model: str
    format: Format
    body: bytes
    include_usage: bool
    format_version: str
    format_features: _containers.RepeatedScalarFieldContainer[str]
    caching: Caching
    def __init__(self, model: _Optional[str] = ..., format: _Optional[_Union[Format, str]] = ..., body: _Optional[bytes] = ..., include_usage: bool = ..., format_version: _Optional[str] = ..., format_features: _Optional[_Iterable[str]] = ..., caching: _Optional[_Union[Caching, _Mapping]] = ...) -> None: ...

class Caching(_message.Message):
    __slots__ = ("max_age_seconds", "refresh")
    MAX_AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REFRESH_FIELD_NUMBER: _ClassVar[int]
    max_age_seconds: int
    refresh: bool
    def __init__(self, max_age_seconds: _Optional[int] = ..., refresh: bool = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("served_by", "attempts", "age_seconds")
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    served_by: ServedBy
    attempts: int
    age_seconds: int
    def __init__(self, served_by: _Optional[_Union[ServedBy, _Mapping]] = ..., attempts: _Optional[int] = ..., age_seconds: _Optional[int] = ...) -> None: ...

class Completion(_message.Message):
    __slots__ = ("usage", "finish_reason", "served_by", "attempts", "age_seconds")
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    usage: _usage_pb2.Usage
    finish_reason: str
    served_by: ServedBy
    attempts: int
    age_seconds: int
    def __init__(self, usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., finish_reason: _Optional[str] = ..., served_by: _Optional[_Union[ServedBy, _Mapping]] = ..., attempts: _Optional[int] = ..., age_seconds: _Optional[int] = ...) -> None: ...

class ServedBy(_message.Message):
    __slots__ = ("provider", "upstream_model", "model", "deprecation_time_seconds", "shutdown_time_seconds")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DEPRECATION_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SHUTDOWN_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    provider: str
    upstream_model: str
    model: str
    deprecation_time_seconds: int
    shutdown_time_seconds: int
    def __init__(self, provider: _Optional[str] = ..., upstream_model: _Optional[str] = ..., model: _Optional[str] = ..., deprecation_time_seconds: _Optional[int] = ..., shutdown_time_seconds: _Optional[int] = ...) -> None: ...

class KeepResponseRequest(_message.Message):
    __slots__ = ("request", "response")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    request: bytes
    response: bytes
    def __init__(self, request: _Optional[bytes] = ..., response: _Optional[bytes] = ...) -> None: ...

class KeepResponseResponse(_message.Message):
    __slots__ = ("stored",)
    STORED_FIELD_NUMBER: _ClassVar[int]
    stored: bool
    def __init__(self, stored: bool = ...) -> None: ...

class GetResponseRequest(_message.Message):
    __slots__ = ("response_id",)
    RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    response_id: str
    def __init__(self, response_id: _Optional[str] = ...) -> None: ...

class GetResponseResponse(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    def __init__(self, body: _Optional[bytes] = ...) -> None: ...

class ListResponseInputItemsRequest(_message.Message):
    __slots__ = ("response_id", "limit", "after", "ascending")
    RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ASCENDING_FIELD_NUMBER: _ClassVar[int]
    response_id: str
    limit: int
    after: str
    ascending: bool
    def __init__(self, response_id: _Optional[str] = ..., limit: _Optional[int] = ..., after: _Optional[str] = ..., ascending: bool = ...) -> None: ...

class ListResponseInputItemsResponse(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    def __init__(self, body: _Optional[bytes] = ...) -> None: ...

class DeleteResponseRequest(_message.Message):
    __slots__ = ("response_id",)
    RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    response_id: str
    def __init__(self, response_id: _Optional[str] = ...) -> None: ...

class DeleteResponseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "provider", "capabilities", "context_length", "health", "create_time_seconds", "max_output_tokens", "shutdown_time_seconds", "alias_of", "price_key", "providers", "deprecation_time_seconds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SHUTDOWN_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ALIAS_OF_FIELD_NUMBER: _ClassVar[int]
    PRICE_KEY_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    DEPRECATION_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    context_length: int
    health: Health
    create_time_seconds: int
    max_output_tokens: int
    shutdown_time_seconds: int
    alias_of: str
    price_key: str
    providers: _containers.RepeatedScalarFieldContainer[str]
    deprecation_time_seconds: int
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., context_length: _Optional[int] = ..., health: _Optional[_Union[Health, str]] = ..., create_time_seconds: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., shutdown_time_seconds: _Optional[int] = ..., alias_of: _Optional[str] = ..., price_key: _Optional[str] = ..., providers: _Optional[_Iterable[str]] = ..., deprecation_time_seconds: _Optional[int] = ...) -> None: ...
