import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GuardKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GUARD_KIND_UNSPECIFIED: _ClassVar[GuardKind]
    GUARD_KIND_PATTERN: _ClassVar[GuardKind]
    GUARD_KIND_WORDS: _ClassVar[GuardKind]
    GUARD_KIND_PII: _ClassVar[GuardKind]
    GUARD_KIND_SIZE: _ClassVar[GuardKind]
    GUARD_KIND_LANGUAGE: _ClassVar[GuardKind]
    GUARD_KIND_HTTP: _ClassVar[GuardKind]

class GuardPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GUARD_PHASE_UNSPECIFIED: _ClassVar[GuardPhase]
    GUARD_PHASE_INPUT: _ClassVar[GuardPhase]
    GUARD_PHASE_OUTPUT: _ClassVar[GuardPhase]

class GuardAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GUARD_ACTION_UNSPECIFIED: _ClassVar[GuardAction]
    GUARD_ACTION_ALLOW: _ClassVar[GuardAction]
    GUARD_ACTION_REWRITE: _ClassVar[GuardAction]
    GUARD_ACTION_REFUSE: _ClassVar[GuardAction]
GUARD_KIND_UNSPECIFIED: GuardKind
GUARD_KIND_PATTERN: GuardKind
GUARD_KIND_WORDS: GuardKind
GUARD_KIND_PII: GuardKind
GUARD_KIND_SIZE: GuardKind
GUARD_KIND_LANGUAGE: GuardKind
GUARD_KIND_HTTP: GuardKind
GUARD_PHASE_UNSPECIFIED: GuardPhase
GUARD_PHASE_INPUT: GuardPhase
GUARD_PHASE_OUTPUT: GuardPhase
GUARD_ACTION_UNSPECIFIED: GuardAction
GUARD_ACTION_ALLOW: GuardAction
GUARD_ACTION_REWRITE: GuardAction
GUARD_ACTION_REFUSE: GuardAction

class Guardrail(_message.Message):
    __slots__ = ("id", "name", "kind", "phases", "action", "rules_json", "models", "position", "enabled", "create_time", "has_authorization")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RULES_JSON_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    HAS_AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    kind: GuardKind
    phases: _containers.RepeatedScalarFieldContainer[GuardPhase]
    action: GuardAction
    rules_json: bytes
    models: _containers.RepeatedScalarFieldContainer[str]
    position: int
    enabled: bool
    create_time: _timestamp_pb2.Timestamp
    has_authorization: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[_Union[GuardKind, str]] = ..., phases: _Optional[_Iterable[_Union[GuardPhase, str]]] = ..., action: _Optional[_Union[GuardAction, str]] = ..., rules_json: _Optional[bytes] = ..., models: _Optional[_Iterable[str]] = ..., position: _Optional[int] = ..., enabled: bool = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., has_authorization: bool = ...) -> None: ...

class CreateGuardrailRequest(_message.Message):
    __slots__ = ("guardrail", "authorization")
    GUARDRAIL_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    guardrail: Guardrail
    authorization: str
    def __init__(self, guardrail: _Optional[_Union[Guardrail, _Mapping]] = ..., authorization: _Optional[str] = ...) -> None: ...

class CreateGuardrailResponse(_message.Message):
    __slots__ = ("guardrail",)
    GUARDRAIL_FIELD_NUMBER: _ClassVar[int]
    guardrail: Guardrail
    def __init__(self, guardrail: _Optional[_Union[Guardrail, _Mapping]] = ...) -> None: ...

class ListGuardrailsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGuardrailsResponse(_message.Message):
    __slots__ = ("guardrails",)
    GUARDRAILS_FIELD_NUMBER: _ClassVar[int]
    guardrails: _containers.RepeatedCompositeFieldContainer[Guardrail]
    def __init__(self, guardrails: _Optional[_Iterable[_Union[Guardrail, _Mapping]]] = ...) -> None: ...

class GetGuardrailRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetGuardrailResponse(_message.Message):
    __slots__ = ("guardrail",)
    GUARDRAIL_FIELD_NUMBER: _ClassVar[int]
    guardrail: Guardrail
    def __init__(self, guardrail: _Optional[_Union[Guardrail, _Mapping]] = ...) -> None: ...

class UpdateGuardrailRequest(_message.Message):
    __slots__ = ("guardrail", "authorization")
    GUARDRAIL_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    guardrail: Guardrail
    authorization: str
    def __init__(self, guardrail: _Optional[_Union[Guardrail, _Mapping]] = ..., authorization: _Optional[str] = ...) -> None: ...

class UpdateGuardrailResponse(_message.Message):
    __slots__ = ("guardrail",)
    GUARDRAIL_FIELD_NUMBER: _ClassVar[int]
    guardrail: Guardrail
    def __init__(self, guardrail: _Optional[_Union[Guardrail, _Mapping]] = ...) -> None: ...

class DeleteGuardrailRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DeleteGuardrailResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TestGuardrailsRequest(_message.Message):
    __slots__ = ("phase", "text", "model")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    phase: GuardPhase
    text: str
    model: str
    def __init__(self, phase: _Optional[_Union[GuardPhase, str]] = ..., text: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class TestGuardrailsResponse(_message.Message):
    __slots__ = ("action", "text", "found")
    class FoundEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ACTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    action: GuardAction
    text: str
    found: _containers.ScalarMap[str, int]
    def __init__(self, action: _Optional[_Union[GuardAction, str]] = ..., text: _Optional[str] = ..., found: _Optional[_Mapping[str, int]] = ...) -> None: ...
