import datetime

from aisp.common.v1 import usage_pb2 as _usage_pb2
from aisp.usage.v1 import budgets_pb2 as _budgets_pb2
from aisp.usage.v1 import prices_pb2 as _prices_pb2
from aisp.usage.v1 import webhooks_pb2 as _webhooks_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_STATUS_UNSPECIFIED: _ClassVar[EventStatus]
    EVENT_STATUS_SETTLED: _ClassVar[EventStatus]
    EVENT_STATUS_PARTIAL: _ClassVar[EventStatus]
    EVENT_STATUS_ABANDONED: _ClassVar[EventStatus]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_RATE_LIMITED: _ClassVar[ErrorReason]
    ERROR_REASON_METER_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_PLAN: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_LIMIT: _ClassVar[ErrorReason]
    ERROR_REASON_LEASE_CLOSED: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_DATE_RANGE: _ClassVar[ErrorReason]
    ERROR_REASON_OPERATOR_ONLY: _ClassVar[ErrorReason]
    ERROR_REASON_UNPRICED_MODEL: _ClassVar[ErrorReason]
    ERROR_REASON_PAST_PRICE: _ClassVar[ErrorReason]
    ERROR_REASON_PRICE_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_TERMS: _ClassVar[ErrorReason]
    ERROR_REASON_BUDGET_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_BUDGET: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_MANY_BUDGETS: _ClassVar[ErrorReason]
    ERROR_REASON_WEBHOOK_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_WEBHOOK: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_MANY_WEBHOOKS: _ClassVar[ErrorReason]
    ERROR_REASON_URL_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_ADDRESS_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_PROOF_TOO_LONG: _ClassVar[ErrorReason]
EVENT_STATUS_UNSPECIFIED: EventStatus
EVENT_STATUS_SETTLED: EventStatus
EVENT_STATUS_PARTIAL: EventStatus
EVENT_STATUS_ABANDONED: EventStatus
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_RATE_LIMITED: ErrorReason
ERROR_REASON_METER_UNAVAILABLE: ErrorReason
ERROR_REASON_UNKNOWN_PLAN: ErrorReason
ERROR_REASON_UNKNOWN_LIMIT: ErrorReason
ERROR_REASON_LEASE_CLOSED: ErrorReason
ERROR_REASON_BAD_DATE_RANGE: ErrorReason
ERROR_REASON_OPERATOR_ONLY: ErrorReason
ERROR_REASON_UNPRICED_MODEL: ErrorReason
ERROR_REASON_PAST_PRICE: ErrorReason
ERROR_REASON_PRICE_EXISTS: ErrorReason
ERROR_REASON_BAD_TERMS: ErrorReason
ERROR_REASON_BUDGET_NOT_FOUND: ErrorReason
ERROR_REASON_BAD_BUDGET: ErrorReason
ERROR_REASON_TOO_MANY_BUDGETS: ErrorReason
ERROR_REASON_WEBHOOK_NOT_FOUND: ErrorReason
ERROR_REASON_BAD_WEBHOOK: ErrorReason
ERROR_REASON_TOO_MANY_WEBHOOKS: ErrorReason
ERROR_REASON_URL_REFUSED: ErrorReason
ERROR_REASON_ADDRESS_REFUSED: ErrorReason
ERROR_REASON_PROOF_TOO_LONG: ErrorReason

class EnsureLimitsRequest(_message.Message):
    __slots__ = ("plan", "tenant_version", "key_id", "key_version", "key_limits")
    class KeyLimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    PLAN_FIELD_NUMBER: _ClassVar[int]
    TENANT_VERSION_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_VERSION_FIELD_NUMBER: _ClassVar[int]
    KEY_LIMITS_FIELD_NUMBER: _ClassVar[int]
    plan: str
    tenant_version: int
    key_id: str
    key_version: int
    key_limits: _containers.ScalarMap[str, int]
    def __init__(self, plan: _Optional[str] = ..., tenant_version: _Optional[int] = ..., key_id: _Optional[str] = ..., key_version: _Optional[int] = ..., key_limits: _Optional[_Mapping[str, int]] = ...) -> None: ...

class EnsureLimitsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReserveRequest(_message.Message):
    __slots__ = ("tokens", "storage_bytes", "lease_seconds", "service", "counts_request", "model", "characters", "audio_milliseconds")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    STORAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_REQUEST_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    tokens: int
    storage_bytes: int
    lease_seconds: int
    service: str
    counts_request: bool
    model: str
    characters: int
    audio_milliseconds: int
    def __init__(self, tokens: _Optional[int] = ..., storage_bytes: _Optional[int] = ..., lease_seconds: _Optional[int] = ..., service: _Optional[str] = ..., counts_request: bool = ..., model: _Optional[str] = ..., characters: _Optional[int] = ..., audio_milliseconds: _Optional[int] = ...) -> None: ...

class ReserveResponse(_message.Message):
    __slots__ = ("lease_id",)
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    def __init__(self, lease_id: _Optional[str] = ...) -> None: ...

class CheckpointRequest(_message.Message):
    __slots__ = ("lease_id", "usage")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    usage: _usage_pb2.Usage
    def __init__(self, lease_id: _Optional[str] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ...) -> None: ...

class CheckpointResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SettleRequest(_message.Message):
    __slots__ = ("lease_id", "usage", "partial")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    usage: _usage_pb2.Usage
    partial: bool
    def __init__(self, lease_id: _Optional[str] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., partial: bool = ...) -> None: ...

class SettleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSummaryRequest(_message.Message):
    __slots__ = ("from_date", "to_date")
    FROM_DATE_FIELD_NUMBER: _ClassVar[int]
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    from_date: str
    to_date: str
    def __init__(self, from_date: _Optional[str] = ..., to_date: _Optional[str] = ...) -> None: ...

class GetSummaryResponse(_message.Message):
    __slots__ = ("from_date", "to_date", "plan", "totals", "by_service", "by_model", "storage_bytes", "storage_limit_bytes", "limits")
    FROM_DATE_FIELD_NUMBER: _ClassVar[int]
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    BY_SERVICE_FIELD_NUMBER: _ClassVar[int]
    BY_MODEL_FIELD_NUMBER: _ClassVar[int]
    STORAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    STORAGE_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    from_date: str
    to_date: str
    plan: str
    totals: Amounts
    by_service: _containers.RepeatedCompositeFieldContainer[NamedAmounts]
    by_model: _containers.RepeatedCompositeFieldContainer[NamedAmounts]
    storage_bytes: int
    storage_limit_bytes: int
    limits: _containers.RepeatedCompositeFieldContainer[LimitState]
    def __init__(self, from_date: _Optional[str] = ..., to_date: _Optional[str] = ..., plan: _Optional[str] = ..., totals: _Optional[_Union[Amounts, _Mapping]] = ..., by_service: _Optional[_Iterable[_Union[NamedAmounts, _Mapping]]] = ..., by_model: _Optional[_Iterable[_Union[NamedAmounts, _Mapping]]] = ..., storage_bytes: _Optional[int] = ..., storage_limit_bytes: _Optional[int] = ..., limits: _Optional[_Iterable[_Union[LimitState, _Mapping]]] = ...) -> None: ...

class Amounts(_message.Message):
    __slots__ = ("requests", "input_tokens", "output_tokens", "characters", "audio_milliseconds", "cost_nano_usd")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    COST_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    requests: int
    input_tokens: int
    output_tokens: int
    characters: int
    audio_milliseconds: int
    cost_nano_usd: int
    def __init__(self, requests: _Optional[int] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., characters: _Optional[int] = ..., audio_milliseconds: _Optional[int] = ..., cost_nano_usd: _Optional[int] = ...) -> None: ...

class NamedAmounts(_message.Message):
    __slots__ = ("name", "amounts")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    amounts: Amounts
    def __init__(self, name: _Optional[str] = ..., amounts: _Optional[_Union[Amounts, _Mapping]] = ...) -> None: ...

class LimitState(_message.Message):
    __slots__ = ("name", "limit", "used", "reset_time", "scope")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    RESET_TIME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    limit: int
    used: int
    reset_time: _timestamp_pb2.Timestamp
    scope: str
    def __init__(self, name: _Optional[str] = ..., limit: _Optional[int] = ..., used: _Optional[int] = ..., reset_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scope: _Optional[str] = ...) -> None: ...

class ListDailyRequest(_message.Message):
    __slots__ = ("from_date", "to_date")
    FROM_DATE_FIELD_NUMBER: _ClassVar[int]
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    from_date: str
    to_date: str
    def __init__(self, from_date: _Optional[str] = ..., to_date: _Optional[str] = ...) -> None: ...

class ListDailyResponse(_message.Message):
    __slots__ = ("days",)
    DAYS_FIELD_NUMBER: _ClassVar[int]
    days: _containers.RepeatedCompositeFieldContainer[DailyUsage]
    def __init__(self, days: _Optional[_Iterable[_Union[DailyUsage, _Mapping]]] = ...) -> None: ...

class DailyUsage(_message.Message):
    __slots__ = ("date", "service", "model", "amounts")
    DATE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    date: str
    service: str
    model: str
    amounts: Amounts
    def __init__(self, date: _Optional[str] = ..., service: _Optional[str] = ..., model: _Optional[str] = ..., amounts: _Optional[_Union[Amounts, _Mapping]] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "filter")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    filter: EventFilter
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ...) -> None: ...

class EventFilter(_message.Message):
    __slots__ = ("from_date", "to_date", "service", "model", "provider", "status", "key_id", "user_id", "request_id", "unpriced")
    FROM_DATE_FIELD_NUMBER: _ClassVar[int]
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UNPRICED_FIELD_NUMBER: _ClassVar[int]
    from_date: str
    to_date: str
    service: str
    model: str
    provider: str
    status: EventStatus
    key_id: str
    user_id: str
    request_id: str
    unpriced: bool
    def __init__(self, from_date: _Optional[str] = ..., to_date: _Optional[str] = ..., service: _Optional[str] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., status: _Optional[_Union[EventStatus, str]] = ..., key_id: _Optional[str] = ..., user_id: _Optional[str] = ..., request_id: _Optional[str] = ..., unpriced: bool = ...) -> None: ...

class ExportEventsRequest(_message.Message):
    __slots__ = ("filter",)
    FILTER_FIELD_NUMBER: _ClassVar[int]
    filter: EventFilter
    def __init__(self, filter: _Optional[_Union[EventFilter, _Mapping]] = ...) -> None: ...

class ExportEventsResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("id", "request_id", "service", "model", "provider", "status", "amounts", "lines", "time", "key_id", "corrects_id", "user_id", "unpriced")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    CORRECTS_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    UNPRICED_FIELD_NUMBER: _ClassVar[int]
    id: str
    request_id: str
    service: str
    model: str
    provider: str
    status: EventStatus
    amounts: Amounts
    lines: _containers.RepeatedCompositeFieldContainer[EventLine]
    time: _timestamp_pb2.Timestamp
    key_id: str
    corrects_id: str
    user_id: str
    unpriced: bool
    def __init__(self, id: _Optional[str] = ..., request_id: _Optional[str] = ..., service: _Optional[str] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., status: _Optional[_Union[EventStatus, str]] = ..., amounts: _Optional[_Union[Amounts, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[EventLine, _Mapping]]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., key_id: _Optional[str] = ..., corrects_id: _Optional[str] = ..., user_id: _Optional[str] = ..., unpriced: bool = ...) -> None: ...

class EventLine(_message.Message):
    __slots__ = ("usage", "price_version", "cost_nano_usd", "from_input_tokens")
    USAGE_FIELD_NUMBER: _ClassVar[int]
    PRICE_VERSION_FIELD_NUMBER: _ClassVar[int]
    COST_NANO_USD_FIELD_NUMBER: _ClassVar[int]
    FROM_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    usage: _usage_pb2.UsageLine
    price_version: int
    cost_nano_usd: int
    from_input_tokens: int
    def __init__(self, usage: _Optional[_Union[_usage_pb2.UsageLine, _Mapping]] = ..., price_version: _Optional[int] = ..., cost_nano_usd: _Optional[int] = ..., from_input_tokens: _Optional[int] = ...) -> None: ...

class ListLimitsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListLimitsResponse(_message.Message):
    __slots__ = ("limits",)
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    limits: _containers.RepeatedCompositeFieldContainer[LimitState]
    def __init__(self, limits: _Optional[_Iterable[_Union[LimitState, _Mapping]]] = ...) -> None: ...

class SetTenantLimitsRequest(_message.Message):
    __slots__ = ("tenant_id", "plan", "tenant_version", "limits")
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    TENANT_VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    plan: str
    tenant_version: int
    limits: _containers.ScalarMap[str, int]
    def __init__(self, tenant_id: _Optional[str] = ..., plan: _Optional[str] = ..., tenant_version: _Optional[int] = ..., limits: _Optional[_Mapping[str, int]] = ...) -> None: ...

class SetTenantLimitsResponse(_message.Message):
    __slots__ = ("limits",)
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    limits: _containers.ScalarMap[str, int]
    def __init__(self, limits: _Optional[_Mapping[str, int]] = ...) -> None: ...

class GetTenantLimitsRequest(_message.Message):
    __slots__ = ("tenant_id", "plan")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    plan: str
    def __init__(self, tenant_id: _Optional[str] = ..., plan: _Optional[str] = ...) -> None: ...

class GetTenantLimitsResponse(_message.Message):
    __slots__ = ("limits", "own_limits")
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class OwnLimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    OWN_LIMITS_FIELD_NUMBER: _ClassVar[int]
    limits: _containers.ScalarMap[str, int]
    own_limits: _containers.ScalarMap[str, int]
    def __init__(self, limits: _Optional[_Mapping[str, int]] = ..., own_limits: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ListPlansRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPlansResponse(_message.Message):
    __slots__ = ("plans",)
    PLANS_FIELD_NUMBER: _ClassVar[int]
    plans: _containers.RepeatedCompositeFieldContainer[Plan]
    def __init__(self, plans: _Optional[_Iterable[_Union[Plan, _Mapping]]] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("name", "limits", "support", "sla_basis_points", "version", "position")
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    SLA_BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    name: str
    limits: _containers.ScalarMap[str, int]
    support: str
    sla_basis_points: int
    version: int
    position: int
    def __init__(self, name: _Optional[str] = ..., limits: _Optional[_Mapping[str, int]] = ..., support: _Optional[str] = ..., sla_basis_points: _Optional[int] = ..., version: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class PutPlanRequest(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: Plan
    def __init__(self, plan: _Optional[_Union[Plan, _Mapping]] = ...) -> None: ...

class PutPlanResponse(_message.Message):
    __slots__ = ("plan", "tenants")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    plan: Plan
    tenants: int
    def __init__(self, plan: _Optional[_Union[Plan, _Mapping]] = ..., tenants: _Optional[int] = ...) -> None: ...

class GetInvariantsRequest(_message.Message):
    __slots__ = ("from_date", "to_date")
    FROM_DATE_FIELD_NUMBER: _ClassVar[int]
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    from_date: str
    to_date: str
    def __init__(self, from_date: _Optional[str] = ..., to_date: _Optional[str] = ...) -> None: ...

class GetInvariantsResponse(_message.Message):
    __slots__ = ("balanced", "admitted", "settled", "abandoned", "live", "recorded", "from_date", "to_date", "events", "ledger", "rollups", "differences")
    BALANCED_FIELD_NUMBER: _ClassVar[int]
    ADMITTED_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    ABANDONED_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    FROM_DATE_FIELD_NUMBER: _ClassVar[int]
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    ROLLUPS_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    balanced: bool
    admitted: int
    settled: int
    abandoned: int
    live: int
    recorded: int
    from_date: str
    to_date: str
    events: int
    ledger: Amounts
    rollups: Amounts
    differences: _containers.RepeatedCompositeFieldContainer[Difference]
    def __init__(self, balanced: bool = ..., admitted: _Optional[int] = ..., settled: _Optional[int] = ..., abandoned: _Optional[int] = ..., live: _Optional[int] = ..., recorded: _Optional[int] = ..., from_date: _Optional[str] = ..., to_date: _Optional[str] = ..., events: _Optional[int] = ..., ledger: _Optional[_Union[Amounts, _Mapping]] = ..., rollups: _Optional[_Union[Amounts, _Mapping]] = ..., differences: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ...) -> None: ...

class Difference(_message.Message):
    __slots__ = ("tenant_id", "date", "unit", "ledger", "rollups")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    DATE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    ROLLUPS_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    date: str
    unit: str
    ledger: int
    rollups: int
    def __init__(self, tenant_id: _Optional[str] = ..., date: _Optional[str] = ..., unit: _Optional[str] = ..., ledger: _Optional[int] = ..., rollups: _Optional[int] = ...) -> None: ...
