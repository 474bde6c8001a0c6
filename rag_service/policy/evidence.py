"""What the documents have to say to a question: the passages that a model is shown, and how likely they answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag_service.domain.search import Passage
from rag_service.policy.answerability import MAY_ANSWER, Candidate, Judge
from rag_service.policy.answers import relevant
from rag_service.policy.ranking import fuse

SHOWN = 0.3
"""Of the likelihood of the best unit of all, the share that a passage's best must have to be shown to the model: what
cannot answer costs tokens and leads small models astray.
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Candidates and passages, best first."""

    judge: Judge
    candidates: tuple[Candidate, ...]
    passages: tuple[Passage, ...]

    @property
    def best(self) -> float:
        """How likely the likeliest unit answers."""
        return self.candidates[0].score if self.candidates else 0.0


def weighed(judge: Judge, found: Sequence[Passage], candidates: Sequence[Candidate], count: int) -> Evidence:
    """The passages that answer, at most so many: by the order of the search and of their best units. None if none does;
    where no single sentence can answer, those that speak of the matter.
    """
    if judge.question.broad:
        return Evidence(judge, tuple(candidates), tuple(relevant(judge.question.text, found)[:count]))
    best: dict[str, float] = {}
    for one in candidates:
        best.setdefault(one.passage.chunk_id, one.score)
    top = max(best.values(), default=0.0)
    if top < MAY_ANSWER:
        return Evidence(judge, (), ())
    by_units = sorted(best.items(), key=lambda item: -item[1])
    known = {passage.chunk_id: passage for passage in found}
    order = fuse(([(name, 0.0) for name in known], by_units))
    shown = [known[name] for name, _ in order if best.get(name, 0.0) >= SHOWN * top]
    return Evidence(judge, tuple(candidates), tuple(shown[:count]))
