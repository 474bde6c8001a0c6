import datetime

from aisp.common.v1 import usage_pb2 as _usage_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListPricesRequest(_message.Message):
    __slots__ = ("tenant_id", "provider", "model", "history")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    provider: str
    model: str
    history: bool
    def __init__(self, tenant_id: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., history: bool = ...) -> None: ...

class ListPricesResponse(_message.Message):
    __slots__ = ("prices", "markups")
    PRICES_FIELD_NUMBER: _ClassVar[int]
    MARKUPS_FIELD_NUMBER: _ClassVar[int]
    prices: _containers.RepeatedCompositeFieldContainer[Price]
    markups: _containers.RepeatedCompositeFieldContainer[Markup]
    def __init__(self, prices: _Optional[_Iterable[_Union[Price, _Mapping]]] = ..., markups: _Optional[_Iterable[_Union[Markup, _Mapping]]] = ...) -> None: ...

class Price(_message.Message):
    __slots__ = ("version", "provider", "model", "unit", "nano_usd_per_million", "effective_time", "source", "tenant_id", "tiers")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    NANO_USD_PER_MILLION_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    version: int
    provider: str
    model: str
    unit: _usage_pb2.Unit
    nano_usd_per_million: int
    effective_time: _timestamp_pb2.Timestamp
    source: str
    tenant_id: str
    tiers: _containers.RepeatedCompositeFieldContainer[PriceTier]
    def __init__(self, version: _Optional[int] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., unit: _Optional[_Union[_usage_pb2.Unit, str]] = ..., nano_usd_per_million: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ..., tenant_id: _Optional[str] = ..., tiers: _Optional[_Iterable[_Union[PriceTier, _Mapping]]] = ...) -> None: ...

class PriceTier(_message.Message):
    __slots__ = ("from_input_tokens", "nano_usd_per_million")
    FROM_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NANO_USD_PER_MILLION_FIELD_NUMBER: _ClassVar[int]
    from_input_tokens: int
    nano_usd_per_million: int
    def __init__(self, from_input_tokens: _Optional[int] = ..., nano_usd_per_million: _Optional[int] = ...) -> None: ...

class Markup(_message.Message):
    __slots__ = ("version", "tenant_id", "basis_points", "effective_time")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    version: int
    tenant_id: str
    basis_points: int
    effective_time: _timestamp_pb2.Timestamp
    def __init__(self, version: _Optional[int] = ..., tenant_id: _Optional[str] = ..., basis_points: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AddPricesRequest(_message.Message):
    __slots__ = ("prices",)
    PRICES_FIELD_NUMBER: _ClassVar[int]
    prices: _containers.RepeatedCompositeFieldContainer[Price]
    def __init__(self, prices: _Optional[_Iterable[_Union[Price, _Mapping]]] = ...) -> None: ...

class AddPricesResponse(_message.Message):
    __slots__ = ("prices",)
    PRICES_FIELD_NUMBER: _ClassVar[int]
    prices: _containers.RepeatedCompositeFieldContainer[Price]
    def __init__(self, prices: _Optional[_Iterable[_Union[Price, _Mapping]]] = ...) -> None: ...

class AddMarkupRequest(_message.Message):
    __slots__ = ("markup",)
    MARKUP_FIELD_NUMBER: _ClassVar[int]
    markup: Markup
    def __init__(self, markup: _Optional[_Union[Markup, _Mapping]] = ...) -> None: ...

class AddMarkupResponse(_message.Message):
    __slots__ = ("markup",)
    MARKUP_FIELD_NUMBER: _ClassVar[int]
    markup: Markup
    def __init__(self, markup: _Optional[_Union[Markup, _Mapping]] = ...) -> None: ...
