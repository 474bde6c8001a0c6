"""Decisions about embeddings without I/O: names, bounds, batches, shortened vectors."""

import array
import hashlib
import math
from collections.abc import Sequence

from chassis.errors import Violation
from embedding_service.domain import BadDimensions, BadInput, EmbeddingModel, Input, ModelNotFound

DEFAULT_MODEL = "local/all-minilm-l6-v2"
CATALOGUE = {
    model.name: model
    for model in (
        EmbeddingModel(DEFAULT_MODEL, "local", "all-minilm-l6-v2", 384, 512),
        EmbeddingModel("text-embedding-3-small", "openai", "text-embedding-3-small", 1536, 8192, shortens=True),
        EmbeddingModel("text-embedding-3-large", "openai", "text-embedding-3-large", 3072, 8192, shortens=True),
        EmbeddingModel("text-embedding-ada-002", "openai", "text-embedding-ada-002", 1536, 8192),
    )
}
PREFIXES = {"openai/": "openai", "hf/": "hf"}
RERANK_PREFIX = "rerank/"
MAX_RERANKED = 1000
BI_ENCODERS = "local"
"""The provider whose embedding models rerank as bi-encoders: by the cosine of two vectors made apart, which is weaker
than a cross-encoder that reads query and text together.
"""


def resolve(name: str) -> EmbeddingModel:
    """The model of that name; empty means the default. ModelNotFound."""
    found = CATALOGUE.get(name or DEFAULT_MODEL)
    if found is not None:
        return found
    for prefix, provider in PREFIXES.items():
        upstream = name.removeprefix(prefix)
        if upstream and upstream != name:
            known = CATALOGUE.get(upstream)
            shortens = known.shortens if known else True
            return EmbeddingModel(name, provider, upstream, known.dimensions if known else 0, 0, shortens)
    raise ModelNotFound(f"The embedding model {name[:200]} does not exist.", metadata={"param": "model"})


def check_inputs(inputs: Sequence[Input], most: int) -> None:
    """BadInput if there are none, too many, or an empty one."""
    if not 1 <= len(inputs) <= most:
        raise bad_input("input", f"must have 1 to {most} items")
    for index, item in enumerate(inputs):
        if not item:
            raise bad_input(f"input[{index}]", "must not be empty")


def check_dimensions(model: EmbeddingModel, dimensions: int) -> None:
    """BadDimensions: silently other numbers than asked for would be wrong."""
    whole = model.dimensions
    if dimensions < 0 or (whole and dimensions > whole):
        raise BadDimensions(f"dimensions must be from 1 to {whole}.", metadata={"param": "dimensions"})
    if dimensions and not model.shortens and dimensions != whole:
        message = f"{model.name} gives {whole} dimensions and cannot be shortened."
        raise BadDimensions(message, metadata={"param": "dimensions"})


def bad_input(field: str, description: str) -> BadInput:
    """The error of one input."""
    return BadInput(f"{field} {description}.", metadata={"param": "input"}, violations=[Violation(field, description)])


def cache_key(model: EmbeddingModel, item: Input) -> str:
    """The name of an input's vectors, of all lengths: model and content, nothing of who asked."""
    text = item.encode() if isinstance(item, str) else b"\0tokens\0" + ",".join(map(str, item)).encode()
    digest = hashlib.sha256(text).hexdigest()
    return f"emb:{model.provider}:{model.upstream}:{digest}"


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indexes grouped by like length, so that little is padded: each group at most `budget` padded tokens."""
    found: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        group = found[-1] if found else []
        # Lengths ascend: this one pads the whole group.
        if group and (len(group) + 1) * lengths[index] <= budget:
            group.append(index)
        else:
            found.append([index])
    return found


def normalised(vector: bytes) -> bytes:
    """The vector with length 1."""
    numbers = array.array("f", vector)
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return array.array("f", (number / length for number in numbers)).tobytes()


def resolve_reranker(name: str) -> EmbeddingModel:
    """A reranking model: of the configured provider (rerank/NAME), or a local embedding model. ModelNotFound."""
    upstream = name.removeprefix(RERANK_PREFIX)
    if upstream and upstream != name:
        return EmbeddingModel(name, "rerank", upstream)
    found = CATALOGUE.get(name or DEFAULT_MODEL)
    if found is None or found.provider != BI_ENCODERS:
        message = f"The reranking model {name[:200]} does not exist: there are {DEFAULT_MODEL} and {RERANK_PREFIX}NAME."
        raise ModelNotFound(message, metadata={"param": "model"})
    return found


def cosines(query: bytes, texts: Sequence[bytes]) -> tuple[float, ...]:
    """Of vectors of length 1, moved from -1..1 to 0..1."""
    asked = array.array("f", query)
    found = (sum(a * b for a, b in zip(asked, array.array("f", text), strict=True)) for text in texts)
    return tuple(min(1.0, max(0.0, (1 + cosine) / 2)) for cosine in found)
