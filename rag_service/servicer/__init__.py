"""RagService on the wire: protobuf <-> domain, one module a noun. Decides nothing."""

from rag_service.domain.vectors import VectorStores
from rag_service.service.answers import Answers
from rag_service.service.collections import Collections
from rag_service.service.documents import Documents
from rag_service.service.erasure import Erasures
from rag_service.service.evaluation import Evaluations
from rag_service.service.search import Search
from rag_service.servicer.answers import AnswersServicer
from rag_service.servicer.collections import CollectionsServicer
from rag_service.servicer.conversations import ConversationsServicer
from rag_service.servicer.documents import DocumentsServicer, Receiving
from rag_service.servicer.search import SearchServicer


class RagServicer(CollectionsServicer, DocumentsServicer, SearchServicer, AnswersServicer, ConversationsServicer):
    """All of it."""

    def __init__(
        self,
        collections: Collections,
        documents: Documents,
        erasures: Erasures,
        search: Search,
        evaluations: Evaluations,
        answers: Answers,
        vectors: VectorStores,
        receiving: Receiving,
    ) -> None:
        self._collections = collections
        self._documents = documents
        self._erasures = erasures
        self._search = search
        self._evaluations = evaluations
        self._answers = answers
        self._conversations = answers.conversations
        self._vectors = vectors
        self._receiving = receiving
