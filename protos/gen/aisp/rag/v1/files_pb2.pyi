import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IdPage(_message.Message):
    __slots__ = ("size", "after", "before", "ascending")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    ASCENDING_FIELD_NUMBER: _ClassVar[int]
    size: int
    after: str
    before: str
    ascending: bool
    def __init__(self, size: _Optional[int] = ..., after: _Optional[str] = ..., before: _Optional[str] = ..., ascending: bool = ...) -> None: ...

class StoredFile(_message.Message):
    __slots__ = ("id", "file_name", "media_type", "purpose", "bytes", "create_time", "expire_time", "document_status")
    ID_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_STATUS_FIELD_NUMBER: _ClassVar[int]
    id: str
    file_name: str
    media_type: str
    purpose: str
    bytes: int
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    document_status: int
    def __init__(self, id: _Optional[str] = ..., file_name: _Optional[str] = ..., media_type: _Optional[str] = ..., purpose: _Optional[str] = ..., bytes: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., document_status: _Optional[int] = ...) -> None: ...

class UploadFileRequest(_message.Message):
    __slots__ = ("description", "content")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    description: FileDescription
    content: bytes
    def __init__(self, description: _Optional[_Union[FileDescription, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class FileDescription(_message.Message):
    __slots__ = ("file_name", "media_type", "purpose", "expire_seconds")
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    file_name: str
    media_type: str
    purpose: str
    expire_seconds: int
    def __init__(self, file_name: _Optional[str] = ..., media_type: _Optional[str] = ..., purpose: _Optional[str] = ..., expire_seconds: _Optional[int] = ...) -> None: ...

class UploadFileResponse(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: StoredFile
    def __init__(self, file: _Optional[_Union[StoredFile, _Mapping]] = ...) -> None: ...

class GetFileRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetFileResponse(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: StoredFile
    def __init__(self, file: _Optional[_Union[StoredFile, _Mapping]] = ...) -> None: ...

class ListFilesRequest(_message.Message):
    __slots__ = ("page", "purpose")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    page: IdPage
    purpose: str
    def __init__(self, page: _Optional[_Union[IdPage, _Mapping]] = ..., purpose: _Optional[str] = ...) -> None: ...

class ListFilesResponse(_message.Message):
    __slots__ = ("files", "more")
    FILES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[StoredFile]
    more: bool
    def __init__(self, files: _Optional[_Iterable[_Union[StoredFile, _Mapping]]] = ..., more: bool = ...) -> None: ...

class ReadFileRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class ReadFileResponse(_message.Message):
    __slots__ = ("content", "file")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    file: StoredFile
    def __init__(self, content: _Optional[bytes] = ..., file: _Optional[_Union[StoredFile, _Mapping]] = ...) -> None: ...

class DeleteFileRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DeleteFileResponse(_message.Message):
    __slots__ = ("erasure_id",)
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    erasure_id: str
    def __init__(self, erasure_id: _Optional[str] = ...) -> None: ...

class Attachment(_message.Message):
    __slots__ = ("file_id", "metadata_json", "chunk_tokens", "chunk_overlap")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    CHUNK_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    metadata_json: str
    chunk_tokens: int
    chunk_overlap: int
    def __init__(self, file_id: _Optional[str] = ..., metadata_json: _Optional[str] = ..., chunk_tokens: _Optional[int] = ..., chunk_overlap: _Optional[int] = ...) -> None: ...

class CreateFileBatchRequest(_message.Message):
    __slots__ = ("collection_id", "files")
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    collection_id: str
    files: _containers.RepeatedCompositeFieldContainer[Attachment]
    def __init__(self, collection_id: _Optional[str] = ..., files: _Optional[_Iterable[_Union[Attachment, _Mapping]]] = ...) -> None: ...

class CreateFileBatchResponse(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: FileBatch
    def __init__(self, batch: _Optional[_Union[FileBatch, _Mapping]] = ...) -> None: ...

class GetFileBatchRequest(_message.Message):
    __slots__ = ("collection_id", "id")
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    collection_id: str
    id: str
    def __init__(self, collection_id: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class GetFileBatchResponse(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: FileBatch
    def __init__(self, batch: _Optional[_Union[FileBatch, _Mapping]] = ...) -> None: ...

class CancelFileBatchRequest(_message.Message):
    __slots__ = ("collection_id", "id")
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    collection_id: str
    id: str
    def __init__(self, collection_id: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class CancelFileBatchResponse(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: FileBatch
    def __init__(self, batch: _Optional[_Union[FileBatch, _Mapping]] = ...) -> None: ...

class FileBatch(_message.Message):
    __slots__ = ("id", "collection_id", "create_time", "counts", "cancelled")
    ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    id: str
    collection_id: str
    create_time: _timestamp_pb2.Timestamp
    counts: DocumentCounts
    cancelled: bool
    def __init__(self, id: _Optional[str] = ..., collection_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., counts: _Optional[_Union[DocumentCounts, _Mapping]] = ..., cancelled: bool = ...) -> None: ...

class DocumentCounts(_message.Message):
    __slots__ = ("going_on", "ready", "failed", "cancelled")
    GOING_ON_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    going_on: int
    ready: int
    failed: int
    cancelled: int
    def __init__(self, going_on: _Optional[int] = ..., ready: _Optional[int] = ..., failed: _Optional[int] = ..., cancelled: _Optional[int] = ...) -> None: ...
