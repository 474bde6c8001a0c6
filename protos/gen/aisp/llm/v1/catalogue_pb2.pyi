import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CatalogueModel(_message.Message):
    __slots__ = ("name", "deployments", "capabilities", "context_length", "max_output_tokens", "price_key", "sticky", "shutdown_time", "tenant_ids", "create_time", "deprecate_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PRICE_KEY_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    SHUTDOWN_TIME_FIELD_NUMBER: _ClassVar[int]
    TENANT_IDS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DEPRECATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    deployments: _containers.RepeatedCompositeFieldContainer[Deployment]
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    context_length: int
    max_output_tokens: int
    price_key: str
    sticky: bool
    shutdown_time: _timestamp_pb2.Timestamp
    tenant_ids: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    deprecate_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., deployments: _Optional[_Iterable[_Union[Deployment, _Mapping]]] = ..., capabilities: _Optional[_Iterable[str]] = ..., context_length: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., price_key: _Optional[str] = ..., sticky: bool = ..., shutdown_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tenant_ids: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deprecate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Deployment(_message.Message):
    __slots__ = ("provider", "upstream_model", "id", "priority", "weight", "base_url", "api_version", "credential_id", "region", "capabilities", "context_length", "cost_nano_usd_per_million", "requests_per_minute", "tokens_per_minute", "concurrent_requests", "without_stream_options")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_MODEL_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    COST_NANO_USD_PER_MILLION_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    CONCURRENT_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_STREAM_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    provider: str
    upstream_model: str
    id: str
    priority: int
    weight: int
    base_url: str
    api_version: str
    credential_id: str
    region: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    context_length: int
    cost_nano_usd_per_million: int
    requests_per_minute: int
    tokens_per_minute: int
    concurrent_requests: int
    without_stream_options: bool
    def __init__(self, provider: _Optional[str] = ..., upstream_model: _Optional[str] = ..., id: _Optional[str] = ..., priority: _Optional[int] = ..., weight: _Optional[int] = ..., base_url: _Optional[str] = ..., api_version: _Optional[str] = ..., credential_id: _Optional[str] = ..., region: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., context_length: _Optional[int] = ..., cost_nano_usd_per_million: _Optional[int] = ..., requests_per_minute: _Optional[int] = ..., tokens_per_minute: _Optional[int] = ..., concurrent_requests: _Optional[int] = ..., without_stream_options: bool = ...) -> None: ...

class ListCatalogueRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListCatalogueResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[CatalogueModel]
    def __init__(self, models: _Optional[_Iterable[_Union[CatalogueModel, _Mapping]]] = ...) -> None: ...

class CreateModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: CatalogueModel
    def __init__(self, model: _Optional[_Union[CatalogueModel, _Mapping]] = ...) -> None: ...

class CreateModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: CatalogueModel
    def __init__(self, model: _Optional[_Union[CatalogueModel, _Mapping]] = ...) -> None: ...

class UpdateModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: CatalogueModel
    def __init__(self, model: _Optional[_Union[CatalogueModel, _Mapping]] = ...) -> None: ...

class UpdateModelResponse(_message.Message):
    __slots__ = ("model", "before")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    model: CatalogueModel
    before: CatalogueModel
    def __init__(self, model: _Optional[_Union[CatalogueModel, _Mapping]] = ..., before: _Optional[_Union[CatalogueModel, _Mapping]] = ...) -> None: ...

class DeleteModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteModelResponse(_message.Message):
    __slots__ = ("before",)
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    before: CatalogueModel
    def __init__(self, before: _Optional[_Union[CatalogueModel, _Mapping]] = ...) -> None: ...

class ProviderKey(_message.Message):
    __slots__ = ("id", "provider", "name", "hint", "base_url", "api_version", "falls_back", "create_time", "rotate_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    FALLS_BACK_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ROTATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    provider: str
    name: str
    hint: str
    base_url: str
    api_version: str
    falls_back: bool
    create_time: _timestamp_pb2.Timestamp
    rotate_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., provider: _Optional[str] = ..., name: _Optional[str] = ..., hint: _Optional[str] = ..., base_url: _Optional[str] = ..., api_version: _Optional[str] = ..., falls_back: bool = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rotate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateProviderKeyRequest(_message.Message):
    __slots__ = ("key", "secret", "platform")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    key: ProviderKey
    secret: str
    platform: bool
    def __init__(self, key: _Optional[_Union[ProviderKey, _Mapping]] = ..., secret: _Optional[str] = ..., platform: bool = ...) -> None: ...

class CreateProviderKeyResponse(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: ProviderKey
    def __init__(self, key: _Optional[_Union[ProviderKey, _Mapping]] = ...) -> None: ...

class ListProviderKeysRequest(_message.Message):
    __slots__ = ("platform",)
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    platform: bool
    def __init__(self, platform: bool = ...) -> None: ...

class ListProviderKeysResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[ProviderKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[ProviderKey, _Mapping]]] = ...) -> None: ...

class RotateProviderKeyRequest(_message.Message):
    __slots__ = ("id", "secret", "platform")
    ID_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    id: str
    secret: str
    platform: bool
    def __init__(self, id: _Optional[str] = ..., secret: _Optional[str] = ..., platform: bool = ...) -> None: ...

class RotateProviderKeyResponse(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: ProviderKey
    def __init__(self, key: _Optional[_Union[ProviderKey, _Mapping]] = ...) -> None: ...

class DeleteProviderKeyRequest(_message.Message):
    __slots__ = ("id", "platform")
    ID_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    id: str
    platform: bool
    def __init__(self, id: _Optional[str] = ..., platform: bool = ...) -> None: ...

class DeleteProviderKeyResponse(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: ProviderKey
    def __init__(self, key: _Optional[_Union[ProviderKey, _Mapping]] = ...) -> None: ...

class ModelRules(_message.Message):
    __slots__ = ("has_granted", "granted", "has_allowed", "allowed", "regions", "max_cost_nano_usd_per_million", "aliases")
    class AliasesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HAS_GRANTED_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    HAS_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_NANO_USD_PER_MILLION_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    has_granted: bool
    granted: _containers.RepeatedScalarFieldContainer[str]
    has_allowed: bool
    allowed: _containers.RepeatedScalarFieldContainer[str]
    regions: _containers.RepeatedScalarFieldContainer[str]
    max_cost_nano_usd_per_million: int
    aliases: _containers.ScalarMap[str, str]
    def __init__(self, has_granted: bool = ..., granted: _Optional[_Iterable[str]] = ..., has_allowed: bool = ..., allowed: _Optional[_Iterable[str]] = ..., regions: _Optional[_Iterable[str]] = ..., max_cost_nano_usd_per_million: _Optional[int] = ..., aliases: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GetModelRulesRequest(_message.Message):
    __slots__ = ("tenant_id",)
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    def __init__(self, tenant_id: _Optional[str] = ...) -> None: ...

class GetModelRulesResponse(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: ModelRules
    def __init__(self, rules: _Optional[_Union[ModelRules, _Mapping]] = ...) -> None: ...

class CheckModelsRequest(_message.Message):
    __slots__ = ("models", "language")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedScalarFieldContainer[str]
    language: bool
    def __init__(self, models: _Optional[_Iterable[str]] = ..., language: bool = ...) -> None: ...

class CheckModelsResponse(_message.Message):
    __slots__ = ("allowed", "priced_as")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    PRICED_AS_FIELD_NUMBER: _ClassVar[int]
    allowed: _containers.RepeatedScalarFieldContainer[str]
    priced_as: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, allowed: _Optional[_Iterable[str]] = ..., priced_as: _Optional[_Iterable[str]] = ...) -> None: ...

class SetModelRulesRequest(_message.Message):
    __slots__ = ("rules", "tenant_id")
    RULES_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    rules: ModelRules
    tenant_id: str
    def __init__(self, rules: _Optional[_Union[ModelRules, _Mapping]] = ..., tenant_id: _Optional[str] = ...) -> None: ...

class SetModelRulesResponse(_message.Message):
    __slots__ = ("rules", "before")
    RULES_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    rules: ModelRules
    before: ModelRules
    def __init__(self, rules: _Optional[_Union[ModelRules, _Mapping]] = ..., before: _Optional[_Union[ModelRules, _Mapping]] = ...) -> None: ...

class SetModelAliasRequest(_message.Message):
    __slots__ = ("alias", "model")
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    alias: str
    model: str
    def __init__(self, alias: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class SetModelAliasResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteModelAliasRequest(_message.Message):
    __slots__ = ("alias",)
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    alias: str
    def __init__(self, alias: _Optional[str] = ...) -> None: ...

class DeleteModelAliasResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
