"""What guardrails may be, and how spans are put into texts."""

from collections.abc import Sequence

from chassis.errors import Violation
from llm_service.domain.errors import BadGuardrail
from llm_service.domain.guardrails import Action, GuardKind, Guardrail, Passage, Span

MAX_NAME = 100
MAX_MODELS = 100
MAX_CREDENTIAL = 1000
SAYS_WHERE = frozenset((GuardKind.PATTERN, GuardKind.WORDS, GuardKind.PII, GuardKind.HTTP))
"""Kinds that find places, so that they can rewrite."""


def check(guardrail: Guardrail) -> None:
    """BadGuardrail, for all that is not the kind's own rules."""
    if not 1 <= len(guardrail.name.strip()) <= MAX_NAME:
        raise bad("name", f"must have 1 to {MAX_NAME} characters")
    if not guardrail.phases:
        raise bad("phases", "must name input, output or both")
    if len(guardrail.models) > MAX_MODELS:
        raise bad("models", f"must have at most {MAX_MODELS} names")
    if guardrail.action is Action.REWRITE and guardrail.kind not in SAYS_WHERE:
        raise bad("action", f"rewrite is nothing that a guardrail of the kind {guardrail.kind.value} can do")


def bad(field: str, description: str) -> BadGuardrail:
    """The error of one field."""
    return BadGuardrail(f"{field} {description}.", violations=[Violation(field, description)])


def apart(spans: Sequence[Span]) -> list[Span]:
    """In order, without those that begin in another; of several that begin at one place the longest."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda item: (item.start, -item.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def rewritten(text: str, spans: Sequence[Span]) -> str:
    """The text with the spans replaced."""
    parts, position = [], 0
    for span in spans:
        parts += [text[position : span.start], span.replacement]
        position = span.end
    return "".join((*parts, text[position:]))


def settled(passage: Passage, spans: Sequence[Span]) -> list[Span]:
    """The spans that what follows cannot change. One at the end of an unfinished text may be the half of something; one
    over all of it was judged as a whole.
    """
    end = len(passage.text)
    return [span for span in spans if passage.final or span.end < end or span.start == 0]


def release_at(text: str, window: int, pending: int) -> int:
    """How much of an unfinished text may go out: all but a window, nothing from `pending` on, no half of a word."""
    cut = min(len(text) - window, pending)
    if cut <= 0:
        return 0
    space = max(text.rfind(" ", 0, cut), text.rfind("\n", 0, cut))
    # A text without spaces is cut where it must be: it would be held back for ever.
    return space + 1 if space >= 0 else cut
