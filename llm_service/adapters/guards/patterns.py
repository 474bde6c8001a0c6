"""Regular expressions and word lists, by RE2: time grows with the text only, whatever a tenant wrote."""

from collections.abc import Iterator, Sequence
from typing import Any

import re2

from llm_service.domain.guardrails import Action, Judgement, Passage, Span
from llm_service.policy.guardrails import apart, bad

MAX_PATTERNS = 50
MAX_PATTERN = 1000
MAX_WORDS = 5000
MAX_WORD = 100
MAX_REPLACEMENT = 200
MEMORY_BYTES = 8 * 1024 * 1024
"""Of one automaton."""
REPLACEMENT = "[removed]"


class PatternGuard:
    """Finds what one of some expressions matches."""

    def __init__(self, rules: Any, action: Action) -> None:
        self._action = action
        self._replacement = rules.get("replacement", REPLACEMENT)
        options = _options(case_sensitive=rules.get("case_sensitive", True))
        self._expressions = [re2.compile(pattern, options) for pattern in rules["patterns"]]

    async def judge(self, passage: Passage) -> Judgement:
        return told(self._action, [*self._find(passage.text)])

    def _find(self, text: str) -> Iterator[Span]:
        for expression in self._expressions:
            for match in expression.finditer(text):
                if match.end() > match.start():
                    yield Span(match.start(), match.end(), self._replacement)


class WordsGuard:
    """Finds words and phrases, whole ones unless told otherwise, in any case."""

    def __init__(self, rules: Any, action: Action) -> None:
        self._action = action
        self._replacement = rules.get("replacement", REPLACEMENT)
        self._whole = rules.get("whole_words", True)
        options = _options(case_sensitive=False)
        options.longest_match = True
        self._expression = re2.compile("|".join(re2.escape(word) for word in rules["words"]), options)

    async def judge(self, passage: Passage) -> Judgement:
        return told(self._action, [*self._find(passage.text)])

    def _find(self, text: str) -> Iterator[Span]:
        for match in self._expression.finditer(text):
            start, end = match.start(), match.end()
            if not self._whole or not (_in_word(text, start - 1) or _in_word(text, end)):
                yield Span(start, end, self._replacement)


def told(action: Action, spans: Sequence[Span]) -> Judgement:
    """The judgement on what was found."""
    found = apart(spans)
    return Judgement(action, found, len(found)) if found else Judgement()


def check_patterns(rules: Any) -> None:
    """BadGuardrail."""
    patterns = _texts(rules, "patterns", MAX_PATTERNS, MAX_PATTERN)
    for index, pattern in enumerate(patterns):
        try:
            compiled = re2.compile(pattern, _options(case_sensitive=True))
        except re2.error as error:
            raise bad(f"rules.patterns.{index}", f"is not an expression of RE2: {_said(error)}"[:300]) from error
        if compiled.search(""):
            raise bad(f"rules.patterns.{index}", "matches nothing at all, so it would be everywhere")
    check_replacement(rules)


def _said(error: re2.error) -> str:
    """RE2 tells it in bytes."""
    told = error.args[0] if error.args else ""
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)


def check_words(rules: Any) -> None:
    """BadGuardrail."""
    _texts(rules, "words", MAX_WORDS, MAX_WORD)
    check_replacement(rules)


def check_replacement(rules: Any) -> None:
    """BadGuardrail."""
    found = rules.get("replacement", REPLACEMENT)
    if not isinstance(found, str) or len(found) > MAX_REPLACEMENT:
        raise bad("rules.replacement", f"must be a text of at most {MAX_REPLACEMENT} characters")
    for name in ("case_sensitive", "whole_words"):
        if not isinstance(rules.get(name, True), bool):
            raise bad(f"rules.{name}", "must be true or false")


def _texts(rules: Any, name: str, most: int, longest: int) -> list[str]:
    found = rules.get(name)
    if not isinstance(found, list) or not 1 <= len(found) <= most:
        raise bad(f"rules.{name}", f"must be a list of 1 to {most} texts")
    if not all(isinstance(item, str) and 1 <= len(item) <= longest and item.strip() for item in found):
        raise bad(f"rules.{name}", f"must have texts of 1 to {longest} characters")
    return found


def _options(*, case_sensitive: bool) -> Any:
    options = re2.Options()
    options.case_sensitive = case_sensitive
    options.max_mem = MEMORY_BYTES
    options.log_errors = False
    return options


def _in_word(text: str, index: int) -> bool:
    return 0 <= index < len(text) and (text[index].isalnum() or text[index] == "_")
