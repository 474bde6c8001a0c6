from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Unit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNIT_UNSPECIFIED: _ClassVar[Unit]
    UNIT_INPUT_TOKENS: _ClassVar[Unit]
    UNIT_CACHED_INPUT_TOKENS: _ClassVar[Unit]
    UNIT_OUTPUT_TOKENS: _ClassVar[Unit]
    UNIT_CHARACTERS: _ClassVar[Unit]
    UNIT_AUDIO_MILLISECONDS: _ClassVar[Unit]
    UNIT_STORED_BYTES: _ClassVar[Unit]
    UNIT_CACHE_WRITE_TOKENS: _ClassVar[Unit]
    UNIT_REASONING_TOKENS: _ClassVar[Unit]
    UNIT_REQUESTS: _ClassVar[Unit]
    UNIT_CACHE_HITS: _ClassVar[Unit]
    UNIT_WEB_SEARCHES: _ClassVar[Unit]
UNIT_UNSPECIFIED: Unit
UNIT_INPUT_TOKENS: Unit
UNIT_CACHED_INPUT_TOKENS: Unit
UNIT_OUTPUT_TOKENS: Unit
UNIT_CHARACTERS: Unit
UNIT_AUDIO_MILLISECONDS: Unit
UNIT_STORED_BYTES: Unit
UNIT_CACHE_WRITE_TOKENS: Unit
UNIT_REASONING_TOKENS: Unit
UNIT_REQUESTS: Unit
UNIT_CACHE_HITS: Unit
UNIT_WEB_SEARCHES: Unit

class Usage(_message.Message):
    __slots__ = ("lines",)
    LINES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[UsageLine]
    def __init__(self, lines: _Optional[_Iterable[_Union[UsageLine, _Mapping]]] = ...) -> None: ...

class UsageLine(_message.Message):
    __slots__ = ("service", "model", "provider", "unit", "amount", "attempt", "estimated")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_FIELD_NUMBER: _ClassVar[int]
    service: str
    model: str
    provider: str
    unit: Unit
    amount: int
    attempt: int
    estimated: bool
    def __init__(self, service: _Optional[str] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., unit: _Optional[_Union[Unit, str]] = ..., amount: _Optional[int] = ..., attempt: _Optional[int] = ..., estimated: bool = ...) -> None: ...
