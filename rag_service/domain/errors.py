"""The errors of retrieval.

NotFound            CollectionNotFound, DocumentNotFound, ErasureNotFound, AnswerNotFound, ConversationNotFound,
                    FileNotThere, FileBatchNotFound
AlreadyExists       CollectionExists
InvalidArgument     EmptyDocument, DocumentTooLarge, BadFilter, BadRequest
FailedPrecondition  TextNotReady, ModelNotConfigured, IngestionEnded, IngestionNotEnded, TooManyConversations,
                    DefaultCollectionStays, CollectionExpired
Unavailable         VectorStoreUnavailable
"""

from chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, Unavailable, Violation


class CollectionNotFound(NotFound):
    reason = "COLLECTION_NOT_FOUND"
    message = "There is no such collection."


class CollectionExists(AlreadyExists):
    reason = "COLLECTION_EXISTS"
    message = "There is a collection of this name."


class DocumentNotFound(NotFound):
    reason = "DOCUMENT_NOT_FOUND"
    message = "There is no such document."


class AnswerNotFound(NotFound):
    reason = "ANSWER_NOT_FOUND"
    message = "There is no such answer, or its receipt is not kept any more."


class ConversationNotFound(NotFound):
    reason = "CONVERSATION_NOT_FOUND"
    message = "There is no such conversation."


class TooManyConversations(FailedPrecondition):
    reason = "TOO_MANY_CONVERSATIONS"
    message = "There are as many conversations as may be kept: delete some first."


class FileNotThere(NotFound):
    reason = "FILE_NOT_FOUND"
    message = "There is no such file."


class FileBatchNotFound(NotFound):
    reason = "FILE_BATCH_NOT_FOUND"
    message = "There is no such batch of files."


class DefaultCollectionStays(FailedPrecondition):
    reason = "DEFAULT_COLLECTION_STAYS"
    message = "The collection default is every tenant's and stays; its documents can be deleted."


class CollectionExpired(FailedPrecondition):
    reason = "COLLECTION_EXPIRED"
    message = "The collection was not used for as long as its expires_after says: its documents are deleted."


class EmptyDocument(InvalidArgument):
    reason = "EMPTY_DOCUMENT"
    message = "The document is empty."


class DocumentTooLarge(InvalidArgument):
    reason = "DOCUMENT_TOO_LARGE"
    message = "The document is larger than allowed."


class BadFilter(InvalidArgument):
    reason = "BAD_FILTER"
    message = "The filter cannot be read."


class BadRequest(InvalidArgument):
    reason = "BAD_REQUEST"
    message = "A field is out of bounds."


def bad(field: str, description: str) -> BadRequest:
    """The error of one field."""
    return BadRequest(f"{field} {description}.", metadata={"param": field}, violations=[Violation(field, description)])


class TextNotReady(FailedPrecondition):
    reason = "TEXT_NOT_READY"
    message = "The document's text is not there yet."


class ModelNotConfigured(FailedPrecondition):
    reason = "MODEL_NOT_CONFIGURED"
    message = "No model is configured for this."


class IngestionEnded(FailedPrecondition):
    reason = "INGESTION_ENDED"
    message = "The document's ingestion has ended already: there is nothing to cancel."


class IngestionNotEnded(FailedPrecondition):
    reason = "INGESTION_NOT_ENDED"
    message = "Only an ingestion that failed or was cancelled can be tried again."


class ErasureNotFound(NotFound):
    reason = "ERASURE_NOT_FOUND"
    message = "There is no such erasure."


class VectorStoreUnavailable(Unavailable):
    reason = "VECTOR_STORE_UNAVAILABLE"
    message = "The vector store does not answer at the moment; try again soon."


class ExtractionFailed(Exception):  # a finding about a document, not an error of a call
    """A document that can't be taken in, as a rule since no text can be had from it; the text says why."""

    fault = "invalid_file"


class UnsupportedFile(ExtractionFailed):
    """It is of a kind from which no text is had."""

    fault = "unsupported_file"
