"""RagService on the wire: protobuf <-> domain, one module a noun. Decides nothing."""

from dataclasses import dataclass

from rag_service.domain.vectors import VectorStores
from rag_service.service.answers import Answers
from rag_service.service.attachments import Attachments
from rag_service.service.collections import Collections
from rag_service.service.documents import Documents
from rag_service.service.erasure import Erasures
from rag_service.service.evaluation import Evaluations
from rag_service.service.file_search import FileSearch
from rag_service.service.files import Files
from rag_service.service.responding import Responding
from rag_service.service.search import Search
from rag_service.servicer.answers import AnswersServicer
from rag_service.servicer.collections import CollectionsServicer
from rag_service.servicer.conversations import ConversationsServicer
from rag_service.servicer.documents import DocumentsServicer, Receiving
from rag_service.servicer.files import FilesServicer
from rag_service.servicer.responding import RespondingServicer
from rag_service.servicer.search import SearchServicer


@dataclass(frozen=True, slots=True)
class UseCases:
    """What there is to call."""

    collections: Collections
    documents: Documents
    files: Files
    attachments: Attachments
    erasures: Erasures
    search: Search
    file_search: FileSearch
    evaluations: Evaluations
    answers: Answers
    responding: Responding


class RagServicer(
    CollectionsServicer,
    DocumentsServicer,
    FilesServicer,
    SearchServicer,
    AnswersServicer,
    RespondingServicer,
    ConversationsServicer,
):
    """All of it."""

    def __init__(self, cases: UseCases, vectors: VectorStores, receiving: Receiving) -> None:
        self._collections = cases.collections
        self._documents = cases.documents
        self._files = cases.files
        self._attachments = cases.attachments
        self._erasures = cases.erasures
        self._search = cases.search
        self._file_search = cases.file_search
        self._evaluations = cases.evaluations
        self._answers = cases.answers
        self._responding = cases.responding
        self._conversations = cases.answers.conversations
        self._vectors = vectors
        self._receiving = receiving
