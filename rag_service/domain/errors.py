"""The errors of retrieval.

NotFound            CollectionNotFound, DocumentNotFound
AlreadyExists       CollectionExists
InvalidArgument     EmptyDocument, DocumentTooLarge, BadFilter, BadRequest
FailedPrecondition  TextNotReady, ModelNotConfigured
Unavailable         VectorStoreUnavailable
"""

from chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, Unavailable


class CollectionNotFound(NotFound):
    reason = "COLLECTION_NOT_FOUND"
    message = "There is no such collection."


class CollectionExists(AlreadyExists):
    reason = "COLLECTION_EXISTS"
    message = "There is a collection of this name."


class DocumentNotFound(NotFound):
    reason = "DOCUMENT_NOT_FOUND"
    message = "There is no such document."


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


class TextNotReady(FailedPrecondition):
    reason = "TEXT_NOT_READY"
    message = "The document's text is not there yet."


class ModelNotConfigured(FailedPrecondition):
    reason = "MODEL_NOT_CONFIGURED"
    message = "No model is configured for this."


class VectorStoreUnavailable(Unavailable):
    reason = "VECTOR_STORE_UNAVAILABLE"
    message = "The vector store does not answer at the moment; try again soon."


class ExtractionFailed(Exception):  # a finding about a document, not an error of a call
    """A document from which no text can be had; the text says why."""
