"""What a call is reserved as, before anybody knows what it takes: a route asks for it, and a preview tells it."""

from collections.abc import Iterable, Sequence

from chassis.tokens import BYTES_OF_A_TOKEN
from gateway.admission import Work
from gateway.routes.faces.face import Asked

PASSAGE_TOKENS = 400
"""A passage that is read for an answer, roughly."""
ANSWER_TOKENS = 256
RERANKED_TOKENS = 10_000
"""What fifty passages have, roughly, that a model orders anew."""
REWRITTEN_TOKENS = 64


def generation(asked: Asked, tokens: int, unbounded: int) -> Work:
    """`tokens`: of the document; `unbounded`: what a choice is reserved as where the client did not bound it."""
    bounded = asked.output_bound is not None
    return Work(
        "rag" if asked.searches else "llm",
        model=asked.model,
        tokens=tokens + asked.searches * PASSAGE_TOKENS,
        output_tokens=(unbounded if asked.output_bound is None else asked.output_bound) * asked.choices,
        output_bounded=bounded,
    )


def embedding(model: str, body: bytes) -> Work:
    """All of the body is taken for texts."""
    return Work("embedding", model=model, tokens=len(body) // BYTES_OF_A_TOKEN, output_bounded=True)


def rerank(model: str, query: str, texts: Sequence[str]) -> Work:
    """The query is read with each of the texts, and is small beside them."""
    tokens = sum(map(len, (query, *texts))) // BYTES_OF_A_TOKEN + len(texts)
    return Work("embedding", model=model, tokens=tokens, output_bounded=True)


def speech(model: str, text: str) -> Work:
    """A text that is spoken."""
    return Work("speech", model=model, characters=len(text))


def transcription(model: str, milliseconds: int) -> Work:
    """Audio that is heard."""
    return Work("speech", model=model, audio_milliseconds=milliseconds)


def search(queries: Iterable[str], *, rewritten: bool = False, reranked: bool = False) -> Work:
    """Each query is embedded, and where it is wished rewritten before and its passages judged behind."""
    asked = list(queries)
    read = sum(len(query) // BYTES_OF_A_TOKEN + 1 for query in asked)
    return Work(
        "rag",
        tokens=read + len(asked) * RERANKED_TOKENS * reranked,
        output_tokens=len(asked) * REWRITTEN_TOKENS * rewritten,
        output_bounded=True,
    )


def answer(model: str, said: Iterable[str], passages: int) -> Work:
    """Messages and passages are read, and an answer is written."""
    tokens = sum(map(len, said)) // BYTES_OF_A_TOKEN + passages * PASSAGE_TOKENS
    return Work("rag", model=model, tokens=tokens, output_tokens=ANSWER_TOKENS, output_bounded=True)


def stored(text: str) -> Work:
    """A document. Its passages are embedded behind the answer, at the pace that the minute allows."""
    return Work("rag", storage_bytes=len(text.encode()), output_bounded=True)
