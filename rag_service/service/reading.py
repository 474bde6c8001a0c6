"""Reading passages for a question: the vectors that tell whether they answer, and whether they carry what is said."""

import array
from collections.abc import Sequence

from rag_service.domain.search import Passage
from rag_service.domain.usage import Tally
from rag_service.domain.vectors import Embedder
from rag_service.policy.answerability import Judge
from rag_service.policy.asking import Asked
from rag_service.policy.evidence import Evidence, weighed
from rag_service.policy.likeness import Cosines


class Reading:
    """Of one question. Each text is embedded once."""

    def __init__(self, embedder: Embedder, model: str, question: Asked, tally: Tally) -> None:
        self._embedder = embedder
        self._model = model
        self._question = question
        self._tally = tally
        self._asked: Sequence[float] = ()
        self._vectors: dict[str, Sequence[float]] = {}

    async def evidence(self, found: Sequence[Passage], count: int) -> Evidence:
        """At most so many of the passages, and how likely they answer."""
        judge = Judge(self._question, found)
        texts = judge.texts()
        if texts:
            self._tally.stage = "read"
            vector = await self._embedder.embed_query(self._model, self._question.text, self._tally)
            self._asked = array.array("f", vector)
        return weighed(judge, found, judge.candidates(await self.cosines(texts, "read")), count)

    async def cosines(self, texts: Sequence[str], stage: str) -> Cosines:
        """Of these texts, of those before, and of the question."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            self._tally.stage = stage
            vectors = await self._embedder.embed_documents(self._model, new, self._tally)
            self._vectors |= {text: array.array("f", vector) for text, vector in zip(new, vectors, strict=True)}
        return Cosines(self._vectors, self._asked)
