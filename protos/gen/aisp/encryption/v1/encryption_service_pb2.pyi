from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ReencryptSecretsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReencryptSecretsResponse(_message.Message):
    __slots__ = ("renewed",)
    class RenewedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    RENEWED_FIELD_NUMBER: _ClassVar[int]
    renewed: _containers.ScalarMap[str, int]
    def __init__(self, renewed: _Optional[_Mapping[str, int]] = ...) -> None: ...
