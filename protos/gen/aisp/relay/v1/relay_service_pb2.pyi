from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_OPEN: _ClassVar[Kind]
    KIND_DATA: _ClassVar[Kind]
    KIND_END: _ClassVar[Kind]
    KIND_CANCEL: _ClassVar[Kind]
    KIND_CREDIT: _ClassVar[Kind]
    KIND_REFUSE: _ClassVar[Kind]
    KIND_DRAIN: _ClassVar[Kind]
KIND_UNSPECIFIED: Kind
KIND_OPEN: Kind
KIND_DATA: Kind
KIND_END: Kind
KIND_CANCEL: Kind
KIND_CREDIT: Kind
KIND_REFUSE: Kind
KIND_DRAIN: Kind

class Frames(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    def __init__(self, frames: _Optional[_Iterable[_Union[Frame, _Mapping]]] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("call", "kind", "payload", "method", "metadata", "timeout_ms", "credit", "code")
    CALL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    call: int
    kind: Kind
    payload: bytes
    method: str
    metadata: _containers.RepeatedCompositeFieldContainer[Metadata]
    timeout_ms: int
    credit: int
    code: int
    def __init__(self, call: _Optional[int] = ..., kind: _Optional[_Union[Kind, str]] = ..., payload: _Optional[bytes] = ..., method: _Optional[str] = ..., metadata: _Optional[_Iterable[_Union[Metadata, _Mapping]]] = ..., timeout_ms: _Optional[int] = ..., credit: _Optional[int] = ..., code: _Optional[int] = ...) -> None: ...

class Metadata(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: bytes
    def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
