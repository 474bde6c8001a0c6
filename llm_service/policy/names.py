"""Patterns of names: one `*` stands for any text."""

from collections.abc import Iterable

STAR = "*"


def starred(pattern: str, name: str) -> str | None:
    """The text that the `*` of the pattern stands for in the name; None if the name does not fit."""
    head, star, tail = pattern.partition(STAR)
    if not star:
        return "" if name == pattern else None
    fits = len(name) >= len(head) + len(tail) and name.startswith(head) and name.endswith(tail)
    return name[len(head) : len(name) - len(tail)] if fits else None


def fits_any(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns fits."""
    return any(starred(pattern, name) is not None for pattern in patterns)


def closest(patterns: Iterable[str], name: str) -> tuple[str, str] | None:
    """Of the patterns that fit, the one that says most, and what its `*` stands for; never across a `/`."""
    found = ((pattern, starred(pattern, name)) for pattern in patterns)
    fitting = [(pattern, text) for pattern, text in found if text is not None and "/" not in text]
    return max(fitting, key=lambda one: (len(one[0]), one[0]), default=None)
