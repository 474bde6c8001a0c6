import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeletionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELETION_STATUS_UNSPECIFIED: _ClassVar[DeletionStatus]
    DELETION_STATUS_WAITING: _ClassVar[DeletionStatus]
    DELETION_STATUS_RUNNING: _ClassVar[DeletionStatus]
    DELETION_STATUS_SETTLING: _ClassVar[DeletionStatus]
    DELETION_STATUS_DONE: _ClassVar[DeletionStatus]
DELETION_STATUS_UNSPECIFIED: DeletionStatus
DELETION_STATUS_WAITING: DeletionStatus
DELETION_STATUS_RUNNING: DeletionStatus
DELETION_STATUS_SETTLING: DeletionStatus
DELETION_STATUS_DONE: DeletionStatus

class DeleteTenantRequest(_message.Message):
    __slots__ = ("confirm", "password")
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    confirm: str
    password: str
    def __init__(self, confirm: _Optional[str] = ..., password: _Optional[str] = ...) -> None: ...

class DeleteTenantResponse(_message.Message):
    __slots__ = ("deletion",)
    DELETION_FIELD_NUMBER: _ClassVar[int]
    deletion: Deletion
    def __init__(self, deletion: _Optional[_Union[Deletion, _Mapping]] = ...) -> None: ...

class DeleteAnyTenantRequest(_message.Message):
    __slots__ = ("id", "confirm")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    id: str
    confirm: str
    def __init__(self, id: _Optional[str] = ..., confirm: _Optional[str] = ...) -> None: ...

class DeleteAnyTenantResponse(_message.Message):
    __slots__ = ("deletion",)
    DELETION_FIELD_NUMBER: _ClassVar[int]
    deletion: Deletion
    def __init__(self, deletion: _Optional[_Union[Deletion, _Mapping]] = ...) -> None: ...

class KeepTenantRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class KeepTenantResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDeletionRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetDeletionResponse(_message.Message):
    __slots__ = ("deletion",)
    DELETION_FIELD_NUMBER: _ClassVar[int]
    deletion: Deletion
    def __init__(self, deletion: _Optional[_Union[Deletion, _Mapping]] = ...) -> None: ...

class ListDeletionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeletionsResponse(_message.Message):
    __slots__ = ("deletions", "next_page_token")
    DELETIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deletions: _containers.RepeatedCompositeFieldContainer[Deletion]
    next_page_token: str
    def __init__(self, deletions: _Optional[_Iterable[_Union[Deletion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ClaimErasureRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClaimErasureResponse(_message.Message):
    __slots__ = ("deletion_id", "tenant_id", "services")
    DELETION_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    deletion_id: str
    tenant_id: str
    services: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, deletion_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., services: _Optional[_Iterable[str]] = ...) -> None: ...

class ReportErasureRequest(_message.Message):
    __slots__ = ("deletion_id", "reports")
    DELETION_ID_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    deletion_id: str
    reports: _containers.RepeatedCompositeFieldContainer[ErasureReport]
    def __init__(self, deletion_id: _Optional[str] = ..., reports: _Optional[_Iterable[_Union[ErasureReport, _Mapping]]] = ...) -> None: ...

class ReportErasureResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ErasureReport(_message.Message):
    __slots__ = ("service", "removed", "waiting_for", "error")
    class RemovedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    service: str
    removed: _containers.ScalarMap[str, int]
    waiting_for: str
    error: str
    def __init__(self, service: _Optional[str] = ..., removed: _Optional[_Mapping[str, int]] = ..., waiting_for: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class Deletion(_message.Message):
    __slots__ = ("id", "tenant_id", "status", "request_time", "start_time", "erase_time", "steps")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    ERASE_TIME_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    id: str
    tenant_id: str
    status: DeletionStatus
    request_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    erase_time: _timestamp_pb2.Timestamp
    steps: _containers.RepeatedCompositeFieldContainer[DeletionStep]
    def __init__(self, id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., status: _Optional[_Union[DeletionStatus, str]] = ..., request_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., erase_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[DeletionStep, _Mapping]]] = ...) -> None: ...

class DeletionStep(_message.Message):
    __slots__ = ("service", "done", "removed", "waiting_for", "error")
    class RemovedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    service: str
    done: bool
    removed: _containers.ScalarMap[str, int]
    waiting_for: str
    error: str
    def __init__(self, service: _Optional[str] = ..., done: bool = ..., removed: _Optional[_Mapping[str, int]] = ..., waiting_for: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...
