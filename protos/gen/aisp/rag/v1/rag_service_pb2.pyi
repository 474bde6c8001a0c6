import datetime

from aisp.common.v1 import usage_pb2 as _usage_pb2
from aisp.llm.v1 import llm_service_pb2 as _llm_service_pb2
from aisp.rag.v1 import files_pb2 as _files_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_MODE_UNSPECIFIED: _ClassVar[SearchMode]
    SEARCH_MODE_DENSE: _ClassVar[SearchMode]
    SEARCH_MODE_LEXICAL: _ClassVar[SearchMode]
    SEARCH_MODE_HYBRID: _ClassVar[SearchMode]

class Grounding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GROUNDING_UNSPECIFIED: _ClassVar[Grounding]
    GROUNDING_REQUIRED: _ClassVar[Grounding]
    GROUNDING_PREFERRED: _ClassVar[Grounding]

class AnswerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWER_STATE_UNSPECIFIED: _ClassVar[AnswerState]
    ANSWER_STATE_ANSWERED: _ClassVar[AnswerState]
    ANSWER_STATE_PARTIAL: _ClassVar[AnswerState]
    ANSWER_STATE_ABSTAINED: _ClassVar[AnswerState]
    ANSWER_STATE_UNGROUNDED: _ClassVar[AnswerState]

class DocumentStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOCUMENT_STATUS_UNSPECIFIED: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_QUEUED: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_RUNNING: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_READY: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_FAILED: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_CANCELLED: _ClassVar[DocumentStatus]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_COLLECTION_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_COLLECTION_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_DOCUMENT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_EMPTY_DOCUMENT: _ClassVar[ErrorReason]
    ERROR_REASON_DOCUMENT_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_FILTER: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_TEXT_NOT_READY: _ClassVar[ErrorReason]
    ERROR_REASON_VECTOR_STORE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_NOT_CONFIGURED: _ClassVar[ErrorReason]
    ERROR_REASON_INGESTION_ENDED: _ClassVar[ErrorReason]
    ERROR_REASON_INGESTION_NOT_ENDED: _ClassVar[ErrorReason]
    ERROR_REASON_ERASURE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_ANSWER_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_CONVERSATION_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_MANY_CONVERSATIONS: _ClassVar[ErrorReason]
    ERROR_REASON_FILE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_FILE_BATCH_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_DEFAULT_COLLECTION_STAYS: _ClassVar[ErrorReason]
    ERROR_REASON_COLLECTION_EXPIRED: _ClassVar[ErrorReason]
SEARCH_MODE_UNSPECIFIED: SearchMode
SEARCH_MODE_DENSE: SearchMode
SEARCH_MODE_LEXICAL: SearchMode
SEARCH_MODE_HYBRID: SearchMode
GROUNDING_UNSPECIFIED: Grounding
GROUNDING_REQUIRED: Grounding
GROUNDING_PREFERRED: Grounding
ANSWER_STATE_UNSPECIFIED: AnswerState
ANSWER_STATE_ANSWERED: AnswerState
ANSWER_STATE_PARTIAL: AnswerState
ANSWER_STATE_ABSTAINED: AnswerState
ANSWER_STATE_UNGROUNDED: AnswerState
DOCUMENT_STATUS_UNSPECIFIED: DocumentStatus
DOCUMENT_STATUS_QUEUED: DocumentStatus
DOCUMENT_STATUS_RUNNING: DocumentStatus
DOCUMENT_STATUS_READY: DocumentStatus
DOCUMENT_STATUS_FAILED: DocumentStatus
DOCUMENT_STATUS_CANCELLED: DocumentStatus
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_COLLECTION_NOT_FOUND: ErrorReason
ERROR_REASON_COLLECTION_EXISTS: ErrorReason
ERROR_REASON_DOCUMENT_NOT_FOUND: ErrorReason
ERROR_REASON_EMPTY_DOCUMENT: ErrorReason
ERROR_REASON_DOCUMENT_TOO_LARGE: ErrorReason
ERROR_REASON_BAD_FILTER: ErrorReason
ERROR_REASON_BAD_REQUEST: ErrorReason
ERROR_REASON_TEXT_NOT_READY: ErrorReason
ERROR_REASON_VECTOR_STORE_UNAVAILABLE: ErrorReason
ERROR_REASON_MODEL_NOT_CONFIGURED: ErrorReason
ERROR_REASON_INGESTION_ENDED: ErrorReason
ERROR_REASON_INGESTION_NOT_ENDED: ErrorReason
ERROR_REASON_ERASURE_NOT_FOUND: ErrorReason
ERROR_REASON_ANSWER_NOT_FOUND: ErrorReason
ERROR_REASON_CONVERSATION_NOT_FOUND: ErrorReason
ERROR_REASON_TOO_MANY_CONVERSATIONS: ErrorReason
ERROR_REASON_FILE_NOT_FOUND: ErrorReason
ERROR_REASON_FILE_BATCH_NOT_FOUND: ErrorReason
ERROR_REASON_DEFAULT_COLLECTION_STAYS: ErrorReason
ERROR_REASON_COLLECTION_EXPIRED: ErrorReason

class CreateCollectionRequest(_message.Message):
    __slots__ = ("name", "description", "vector_store", "default_mode", "chunk_tokens", "chunk_overlap", "title", "metadata_json", "expire_days", "files")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    VECTOR_STORE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_DAYS_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    vector_store: str
    default_mode: SearchMode
    chunk_tokens: int
    chunk_overlap: int
    title: str
    metadata_json: str
    expire_days: int
    files: _containers.RepeatedCompositeFieldContainer[_files_pb2.Attachment]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., vector_store: _Optional[str] = ..., default_mode: _Optional[_Union[SearchMode, str]] = ..., chunk_tokens: _Optional[int] = ..., chunk_overlap: _Optional[int] = ..., title: _Optional[str] = ..., metadata_json: _Optional[str] = ..., expire_days: _Optional[int] = ..., files: _Optional[_Iterable[_Union[_files_pb2.Attachment, _Mapping]]] = ...) -> None: ...

class UpdateCollectionRequest(_message.Message):
    __slots__ = ("name", "default_mode", "description", "id", "title", "metadata_json", "expire_days")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_DAYS_FIELD_NUMBER: _ClassVar[int]
    name: str
    default_mode: SearchMode
    description: str
    id: str
    title: str
    metadata_json: str
    expire_days: int
    def __init__(self, name: _Optional[str] = ..., default_mode: _Optional[_Union[SearchMode, str]] = ..., description: _Optional[str] = ..., id: _Optional[str] = ..., title: _Optional[str] = ..., metadata_json: _Optional[str] = ..., expire_days: _Optional[int] = ...) -> None: ...

class UpdateCollectionResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ...) -> None: ...

class CreateCollectionResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ...) -> None: ...

class GetCollectionRequest(_message.Message):
    __slots__ = ("name", "id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    id: str
    def __init__(self, name: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class DeleteCollectionRequest(_message.Message):
    __slots__ = ("name", "id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    id: str
    def __init__(self, name: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class DeleteCollectionResponse(_message.Message):
    __slots__ = ("erasure",)
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    erasure: Erasure
    def __init__(self, erasure: _Optional[_Union[Erasure, _Mapping]] = ...) -> None: ...

class GetCollectionResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ...) -> None: ...

class ListCollectionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "page")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    page: _files_pb2.IdPage
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., page: _Optional[_Union[_files_pb2.IdPage, _Mapping]] = ...) -> None: ...

class ListCollectionsResponse(_message.Message):
    __slots__ = ("collections", "next_page_token", "more")
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    collections: _containers.RepeatedCompositeFieldContainer[Collection]
    next_page_token: str
    more: bool
    def __init__(self, collections: _Optional[_Iterable[_Union[Collection, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., more: bool = ...) -> None: ...

class UploadDocumentRequest(_message.Message):
    __slots__ = ("description", "content")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    description: DocumentDescription
    content: bytes
    def __init__(self, description: _Optional[_Union[DocumentDescription, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class DocumentDescription(_message.Message):
    __slots__ = ("title", "file_name", "media_type", "collection", "metadata_json", "document_id")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    title: str
    file_name: str
    media_type: str
    collection: str
    metadata_json: str
    document_id: str
    def __init__(self, title: _Optional[str] = ..., file_name: _Optional[str] = ..., media_type: _Optional[str] = ..., collection: _Optional[str] = ..., metadata_json: _Optional[str] = ..., document_id: _Optional[str] = ...) -> None: ...

class UploadDocumentResponse(_message.Message):
    __slots__ = ("document", "usage", "unchanged")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    document: Document
    usage: _usage_pb2.Usage
    unchanged: bool
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., unchanged: bool = ...) -> None: ...

class WatchDocumentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class WatchDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class CancelDocumentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class CancelDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class RetryDocumentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class RetryDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class GetDocumentRequest(_message.Message):
    __slots__ = ("id", "wait_seconds", "file_id", "collection_id", "batch_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    wait_seconds: int
    file_id: str
    collection_id: str
    batch_id: str
    def __init__(self, id: _Optional[str] = ..., wait_seconds: _Optional[int] = ..., file_id: _Optional[str] = ..., collection_id: _Optional[str] = ..., batch_id: _Optional[str] = ...) -> None: ...

class GetDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class ListDocumentsRequest(_message.Message):
    __slots__ = ("collection", "page_size", "page_token", "status", "filter_json", "page", "collection_id", "batch_id", "statuses")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FILTER_JSON_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    collection: str
    page_size: int
    page_token: str
    status: DocumentStatus
    filter_json: str
    page: _files_pb2.IdPage
    collection_id: str
    batch_id: str
    statuses: _containers.RepeatedScalarFieldContainer[DocumentStatus]
    def __init__(self, collection: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., status: _Optional[_Union[DocumentStatus, str]] = ..., filter_json: _Optional[str] = ..., page: _Optional[_Union[_files_pb2.IdPage, _Mapping]] = ..., collection_id: _Optional[str] = ..., batch_id: _Optional[str] = ..., statuses: _Optional[_Iterable[_Union[DocumentStatus, str]]] = ...) -> None: ...

class ListDocumentsResponse(_message.Message):
    __slots__ = ("documents", "next_page_token", "more")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    next_page_token: str
    more: bool
    def __init__(self, documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., more: bool = ...) -> None: ...

class ChangeDocumentRequest(_message.Message):
    __slots__ = ("id", "metadata_json", "wait_seconds")
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    metadata_json: str
    wait_seconds: int
    def __init__(self, id: _Optional[str] = ..., metadata_json: _Optional[str] = ..., wait_seconds: _Optional[int] = ...) -> None: ...

class ChangeDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class AttachFileRequest(_message.Message):
    __slots__ = ("collection_id", "file")
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    collection_id: str
    file: _files_pb2.Attachment
    def __init__(self, collection_id: _Optional[str] = ..., file: _Optional[_Union[_files_pb2.Attachment, _Mapping]] = ...) -> None: ...

class AttachFileResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class ReadDocumentTextRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class ReadDocumentTextResponse(_message.Message):
    __slots__ = ("content",)
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    def __init__(self, content: _Optional[bytes] = ...) -> None: ...

class DeleteDocumentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DeleteDocumentResponse(_message.Message):
    __slots__ = ("usage", "erasure")
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    usage: _usage_pb2.Usage
    erasure: Erasure
    def __init__(self, usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., erasure: _Optional[_Union[Erasure, _Mapping]] = ...) -> None: ...

class DeleteDocumentsRequest(_message.Message):
    __slots__ = ("ids", "collection", "filter_json")
    IDS_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_JSON_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    collection: str
    filter_json: str
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., collection: _Optional[str] = ..., filter_json: _Optional[str] = ...) -> None: ...

class DeleteDocumentsResponse(_message.Message):
    __slots__ = ("erasure",)
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    erasure: Erasure
    def __init__(self, erasure: _Optional[_Union[Erasure, _Mapping]] = ...) -> None: ...

class GetErasureRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetErasureResponse(_message.Message):
    __slots__ = ("erasure",)
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    erasure: Erasure
    def __init__(self, erasure: _Optional[_Union[Erasure, _Mapping]] = ...) -> None: ...

class Erasure(_message.Message):
    __slots__ = ("id", "document_id", "documents", "create_time", "end_time", "counts")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    document_id: str
    documents: int
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    counts: _containers.ScalarMap[str, int]
    def __init__(self, id: _Optional[str] = ..., document_id: _Optional[str] = ..., documents: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., counts: _Optional[_Mapping[str, int]] = ...) -> None: ...

class SearchPassagesRequest(_message.Message):
    __slots__ = ("query", "top_k", "collection", "filter_json", "mode", "score_threshold", "diversity", "by_document", "rewrite", "rerank")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_JSON_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SCORE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    BY_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    REWRITE_FIELD_NUMBER: _ClassVar[int]
    RERANK_FIELD_NUMBER: _ClassVar[int]
    query: str
    top_k: int
    collection: str
    filter_json: str
    mode: SearchMode
    score_threshold: float
    diversity: float
    by_document: bool
    rewrite: bool
    rerank: str
    def __init__(self, query: _Optional[str] = ..., top_k: _Optional[int] = ..., collection: _Optional[str] = ..., filter_json: _Optional[str] = ..., mode: _Optional[_Union[SearchMode, str]] = ..., score_threshold: _Optional[float] = ..., diversity: _Optional[float] = ..., by_document: bool = ..., rewrite: bool = ..., rerank: _Optional[str] = ...) -> None: ...

class SearchPassagesResponse(_message.Message):
    __slots__ = ("passages", "usage", "query", "mode")
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    passages: _containers.RepeatedCompositeFieldContainer[Passage]
    usage: _usage_pb2.Usage
    query: str
    mode: SearchMode
    def __init__(self, passages: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., query: _Optional[str] = ..., mode: _Optional[_Union[SearchMode, str]] = ...) -> None: ...

class SearchFilesRequest(_message.Message):
    __slots__ = ("collection_ids", "queries", "top_k", "filter_json", "score_threshold", "ranker", "rewrite")
    COLLECTION_IDS_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    FILTER_JSON_FIELD_NUMBER: _ClassVar[int]
    SCORE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    RANKER_FIELD_NUMBER: _ClassVar[int]
    REWRITE_FIELD_NUMBER: _ClassVar[int]
    collection_ids: _containers.RepeatedScalarFieldContainer[str]
    queries: _containers.RepeatedScalarFieldContainer[str]
    top_k: int
    filter_json: str
    score_threshold: float
    ranker: str
    rewrite: bool
    def __init__(self, collection_ids: _Optional[_Iterable[str]] = ..., queries: _Optional[_Iterable[str]] = ..., top_k: _Optional[int] = ..., filter_json: _Optional[str] = ..., score_threshold: _Optional[float] = ..., ranker: _Optional[str] = ..., rewrite: bool = ...) -> None: ...

class SearchFilesResponse(_message.Message):
    __slots__ = ("passages", "usage", "queries")
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    passages: _containers.RepeatedCompositeFieldContainer[Passage]
    usage: _usage_pb2.Usage
    queries: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, passages: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., queries: _Optional[_Iterable[str]] = ...) -> None: ...

class RespondRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _llm_service_pb2.Envelope
    def __init__(self, envelope: _Optional[_Union[_llm_service_pb2.Envelope, _Mapping]] = ...) -> None: ...

class RespondResponse(_message.Message):
    __slots__ = ("body", "completion")
    BODY_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    completion: _llm_service_pb2.Completion
    def __init__(self, body: _Optional[bytes] = ..., completion: _Optional[_Union[_llm_service_pb2.Completion, _Mapping]] = ...) -> None: ...

class StreamRespondRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _llm_service_pb2.Envelope
    def __init__(self, envelope: _Optional[_Union[_llm_service_pb2.Envelope, _Mapping]] = ...) -> None: ...

class StreamRespondResponse(_message.Message):
    __slots__ = ("started", "data", "completion", "replayed")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    started: _llm_service_pb2.Started
    data: bytes
    completion: _llm_service_pb2.Completion
    replayed: bool
    def __init__(self, started: _Optional[_Union[_llm_service_pb2.Started, _Mapping]] = ..., data: _Optional[bytes] = ..., completion: _Optional[_Union[_llm_service_pb2.Completion, _Mapping]] = ..., replayed: bool = ...) -> None: ...

class EvaluateSearchRequest(_message.Message):
    __slots__ = ("collection", "queries", "modes", "apply")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    MODES_FIELD_NUMBER: _ClassVar[int]
    APPLY_FIELD_NUMBER: _ClassVar[int]
    collection: str
    queries: _containers.RepeatedCompositeFieldContainer[JudgedQuery]
    modes: _containers.RepeatedScalarFieldContainer[SearchMode]
    apply: bool
    def __init__(self, collection: _Optional[str] = ..., queries: _Optional[_Iterable[_Union[JudgedQuery, _Mapping]]] = ..., modes: _Optional[_Iterable[_Union[SearchMode, str]]] = ..., apply: bool = ...) -> None: ...

class JudgedQuery(_message.Message):
    __slots__ = ("query", "document_ids")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    query: str
    document_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, query: _Optional[str] = ..., document_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class EvaluateSearchResponse(_message.Message):
    __slots__ = ("modes", "usage", "vector_store", "embedding_model", "default_mode")
    MODES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    VECTOR_STORE_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODE_FIELD_NUMBER: _ClassVar[int]
    modes: _containers.RepeatedCompositeFieldContainer[ModeQuality]
    usage: _usage_pb2.Usage
    vector_store: str
    embedding_model: str
    default_mode: SearchMode
    def __init__(self, modes: _Optional[_Iterable[_Union[ModeQuality, _Mapping]]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., vector_store: _Optional[str] = ..., embedding_model: _Optional[str] = ..., default_mode: _Optional[_Union[SearchMode, str]] = ...) -> None: ...

class ModeQuality(_message.Message):
    __slots__ = ("mode", "ndcg_at_10", "recall_at_100", "mrr")
    MODE_FIELD_NUMBER: _ClassVar[int]
    NDCG_AT_10_FIELD_NUMBER: _ClassVar[int]
    RECALL_AT_100_FIELD_NUMBER: _ClassVar[int]
    MRR_FIELD_NUMBER: _ClassVar[int]
    mode: SearchMode
    ndcg_at_10: float
    recall_at_100: float
    mrr: float
    def __init__(self, mode: _Optional[_Union[SearchMode, str]] = ..., ndcg_at_10: _Optional[float] = ..., recall_at_100: _Optional[float] = ..., mrr: _Optional[float] = ...) -> None: ...

class Passage(_message.Message):
    __slots__ = ("document_id", "chunk_id", "title", "text", "score", "page", "start", "end", "metadata_json", "scores", "file_id", "file_name", "heading")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    HEADING_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    chunk_id: str
    title: str
    text: str
    score: float
    page: int
    start: int
    end: int
    metadata_json: str
    scores: StageScores
    file_id: str
    file_name: str
    heading: str
    def __init__(self, document_id: _Optional[str] = ..., chunk_id: _Optional[str] = ..., title: _Optional[str] = ..., text: _Optional[str] = ..., score: _Optional[float] = ..., page: _Optional[int] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., metadata_json: _Optional[str] = ..., scores: _Optional[_Union[StageScores, _Mapping]] = ..., file_id: _Optional[str] = ..., file_name: _Optional[str] = ..., heading: _Optional[str] = ...) -> None: ...

class StageScores(_message.Message):
    __slots__ = ("dense", "lexical", "fused", "reranked")
    DENSE_FIELD_NUMBER: _ClassVar[int]
    LEXICAL_FIELD_NUMBER: _ClassVar[int]
    FUSED_FIELD_NUMBER: _ClassVar[int]
    RERANKED_FIELD_NUMBER: _ClassVar[int]
    dense: float
    lexical: float
    fused: float
    reranked: float
    def __init__(self, dense: _Optional[float] = ..., lexical: _Optional[float] = ..., fused: _Optional[float] = ..., reranked: _Optional[float] = ...) -> None: ...

class AnswerQuestionRequest(_message.Message):
    __slots__ = ("question",)
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    question: Question
    def __init__(self, question: _Optional[_Union[Question, _Mapping]] = ...) -> None: ...

class AnswerQuestionResponse(_message.Message):
    __slots__ = ("answer",)
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    answer: Answer
    def __init__(self, answer: _Optional[_Union[Answer, _Mapping]] = ...) -> None: ...

class StreamAnswerRequest(_message.Message):
    __slots__ = ("question",)
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    question: Question
    def __init__(self, question: _Optional[_Union[Question, _Mapping]] = ...) -> None: ...

class StreamAnswerResponse(_message.Message):
    __slots__ = ("citations", "delta", "answer", "replayed")
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    citations: Citations
    delta: str
    answer: Answer
    replayed: bool
    def __init__(self, citations: _Optional[_Union[Citations, _Mapping]] = ..., delta: _Optional[str] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., replayed: bool = ...) -> None: ...

class Citations(_message.Message):
    __slots__ = ("citations",)
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    def __init__(self, citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("messages", "collection", "model", "top_k", "filter_json", "grounding", "conversation_id", "rerank")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    FILTER_JSON_FIELD_NUMBER: _ClassVar[int]
    GROUNDING_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    RERANK_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    collection: str
    model: str
    top_k: int
    filter_json: str
    grounding: Grounding
    conversation_id: str
    rerank: str
    def __init__(self, messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., collection: _Optional[str] = ..., model: _Optional[str] = ..., top_k: _Optional[int] = ..., filter_json: _Optional[str] = ..., grounding: _Optional[_Union[Grounding, str]] = ..., conversation_id: _Optional[str] = ..., rerank: _Optional[str] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("id", "state", "content", "citations", "model", "usage", "conversation_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: AnswerState
    content: str
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    model: str
    usage: _usage_pb2.Usage
    conversation_id: str
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[AnswerState, str]] = ..., content: _Optional[str] = ..., citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ..., model: _Optional[str] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., conversation_id: _Optional[str] = ...) -> None: ...

class GetAnswerRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetAnswerResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("answer", "create_time", "expire_time", "request_id", "collection", "query", "mode", "prompt_sha256", "passages", "stages", "forgotten")
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_SHA256_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    answer: Answer
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    request_id: str
    collection: str
    query: str
    mode: SearchMode
    prompt_sha256: str
    passages: _containers.RepeatedCompositeFieldContainer[ReadPassage]
    stages: _containers.RepeatedCompositeFieldContainer[StageUsage]
    forgotten: bool
    def __init__(self, answer: _Optional[_Union[Answer, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ..., collection: _Optional[str] = ..., query: _Optional[str] = ..., mode: _Optional[_Union[SearchMode, str]] = ..., prompt_sha256: _Optional[str] = ..., passages: _Optional[_Iterable[_Union[ReadPassage, _Mapping]]] = ..., stages: _Optional[_Iterable[_Union[StageUsage, _Mapping]]] = ..., forgotten: bool = ...) -> None: ...

class ReadPassage(_message.Message):
    __slots__ = ("document_id", "document_version", "chunk_id", "chunk_sha256", "page", "start", "end", "scores", "cited")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNK_SHA256_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    CITED_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    document_version: int
    chunk_id: str
    chunk_sha256: str
    page: int
    start: int
    end: int
    scores: StageScores
    cited: bool
    def __init__(self, document_id: _Optional[str] = ..., document_version: _Optional[int] = ..., chunk_id: _Optional[str] = ..., chunk_sha256: _Optional[str] = ..., page: _Optional[int] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., scores: _Optional[_Union[StageScores, _Mapping]] = ..., cited: bool = ...) -> None: ...

class StageUsage(_message.Message):
    __slots__ = ("stage", "line")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    stage: str
    line: _usage_pb2.UsageLine
    def __init__(self, stage: _Optional[str] = ..., line: _Optional[_Union[_usage_pb2.UsageLine, _Mapping]] = ...) -> None: ...

class CreateConversationRequest(_message.Message):
    __slots__ = ("title",)
    TITLE_FIELD_NUMBER: _ClassVar[int]
    title: str
    def __init__(self, title: _Optional[str] = ...) -> None: ...

class CreateConversationResponse(_message.Message):
    __slots__ = ("conversation",)
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    conversation: Conversation
    def __init__(self, conversation: _Optional[_Union[Conversation, _Mapping]] = ...) -> None: ...

class GetConversationRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetConversationResponse(_message.Message):
    __slots__ = ("conversation", "messages")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    conversation: Conversation
    messages: _containers.RepeatedCompositeFieldContainer[KeptMessage]
    def __init__(self, conversation: _Optional[_Union[Conversation, _Mapping]] = ..., messages: _Optional[_Iterable[_Union[KeptMessage, _Mapping]]] = ...) -> None: ...

class ListConversationsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListConversationsResponse(_message.Message):
    __slots__ = ("conversations", "next_page_token")
    CONVERSATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    conversations: _containers.RepeatedCompositeFieldContainer[Conversation]
    next_page_token: str
    def __init__(self, conversations: _Optional[_Iterable[_Union[Conversation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteConversationRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DeleteConversationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Conversation(_message.Message):
    __slots__ = ("id", "title", "messages", "create_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    title: str
    messages: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., title: _Optional[str] = ..., messages: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class KeptMessage(_message.Message):
    __slots__ = ("role", "content", "answer_id", "create_time")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    answer_id: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ..., answer_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Citation(_message.Message):
    __slots__ = ("number", "document_id", "chunk_id", "title", "page", "start", "end", "quote")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    number: int
    document_id: str
    chunk_id: str
    title: str
    page: int
    start: int
    end: int
    quote: str
    def __init__(self, number: _Optional[int] = ..., document_id: _Optional[str] = ..., chunk_id: _Optional[str] = ..., title: _Optional[str] = ..., page: _Optional[int] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., quote: _Optional[str] = ...) -> None: ...

class ListVectorStoresRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAnsweringModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAnsweringModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class ListVectorStoresResponse(_message.Message):
    __slots__ = ("vector_stores",)
    VECTOR_STORES_FIELD_NUMBER: _ClassVar[int]
    vector_stores: _containers.RepeatedCompositeFieldContainer[VectorStore]
    def __init__(self, vector_stores: _Optional[_Iterable[_Union[VectorStore, _Mapping]]] = ...) -> None: ...

class VectorStore(_message.Message):
    __slots__ = ("name", "capabilities", "health")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    name: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    health: str
    def __init__(self, name: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., health: _Optional[str] = ...) -> None: ...

class Collection(_message.Message):
    __slots__ = ("id", "name", "description", "documents", "create_time", "vector_store", "embedding_model", "default_mode", "chunk_tokens", "chunk_overlap", "title", "metadata_json", "expire_days", "active_time", "expire_time", "expired", "bytes", "counts")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    VECTOR_STORE_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_DAYS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    description: str
    documents: int
    create_time: _timestamp_pb2.Timestamp
    vector_store: str
    embedding_model: str
    default_mode: SearchMode
    chunk_tokens: int
    chunk_overlap: int
    title: str
    metadata_json: str
    expire_days: int
    active_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    expired: bool
    bytes: int
    counts: _files_pb2.DocumentCounts
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., documents: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., vector_store: _Optional[str] = ..., embedding_model: _Optional[str] = ..., default_mode: _Optional[_Union[SearchMode, str]] = ..., chunk_tokens: _Optional[int] = ..., chunk_overlap: _Optional[int] = ..., title: _Optional[str] = ..., metadata_json: _Optional[str] = ..., expire_days: _Optional[int] = ..., active_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expired: bool = ..., bytes: _Optional[int] = ..., counts: _Optional[_Union[_files_pb2.DocumentCounts, _Mapping]] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("id", "title", "collection", "status", "stage", "progress", "error", "bytes", "chunks", "version", "metadata_json", "create_time", "file_name", "media_type", "ready_version", "sha256", "file_id", "collection_id", "chunk_tokens", "chunk_overlap", "fault")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    READY_VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNK_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    id: str
    title: str
    collection: str
    status: DocumentStatus
    stage: str
    progress: int
    error: str
    bytes: int
    chunks: int
    version: int
    metadata_json: str
    create_time: _timestamp_pb2.Timestamp
    file_name: str
    media_type: str
    ready_version: int
    sha256: str
    file_id: str
    collection_id: str
    chunk_tokens: int
    chunk_overlap: int
    fault: str
    def __init__(self, id: _Optional[str] = ..., title: _Optional[str] = ..., collection: _Optional[str] = ..., status: _Optional[_Union[DocumentStatus, str]] = ..., stage: _Optional[str] = ..., progress: _Optional[int] = ..., error: _Optional[str] = ..., bytes: _Optional[int] = ..., chunks: _Optional[int] = ..., version: _Optional[int] = ..., metadata_json: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., file_name: _Optional[str] = ..., media_type: _Optional[str] = ..., ready_version: _Optional[int] = ..., sha256: _Optional[str] = ..., file_id: _Optional[str] = ..., collection_id: _Optional[str] = ..., chunk_tokens: _Optional[int] = ..., chunk_overlap: _Optional[int] = ..., fault: _Optional[str] = ...) -> None: ...
