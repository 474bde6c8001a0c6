"""Porter's stemmer for English (M. F. Porter, "An algorithm for suffix stripping", Program 14, 1980).

Words of other scripts, and short ones, stay as they are.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

Rules = Sequence[tuple[str, str]]

STEP_2: Rules = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
    ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"),
    ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"),
    ("iviti", "ive"), ("biliti", "ble"), ("logi", "log"),
)  # fmt: skip
STEP_3: Rules = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)  # fmt: skip
STEP_4: Rules = tuple(
    (suffix, "")
    for suffix in (
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ou", "ism", "ate", "iti",
        "ous", "ive", "ize",
    )
)  # fmt: skip
_RUN = re.compile(r"v+c+")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of a word in lower case."""
    if len(word) <= 2 or not word.isascii() or not word.isalpha():
        return word
    word = _participle(_plural(word))
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    word = _replace(_replace(word, STEP_2, 0), STEP_3, 0)
    word = _noun(word)
    return _tail(word)


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _participle(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        root = word.removesuffix(suffix)
        if root != word:
            return _mended(root) if _has_vowel(root) else word
    return word


def _mended(root: str) -> str:
    """A root that lost -ed or -ing: hop(p)-, fil(e)-, conflat(e)-."""
    if root.endswith(("at", "bl", "iz")):
        return root + "e"
    if _doubled(root) and root[-1] not in "lsz":
        return root[:-1]
    return root + "e" if _measure(root) == 1 and _short(root) else root


def _noun(word: str) -> str:
    if word.endswith(("sion", "tion")):
        return word[:-3] if _measure(word[:-3]) > 1 else word
    return _replace(word, STEP_4, 1)


def _tail(word: str) -> str:
    if word.endswith("e"):
        root = word[:-1]
        if _measure(root) > 1 or (_measure(root) == 1 and not _short(root)):
            word = root
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _replace(word: str, rules: Rules, above: int) -> str:
    """The first suffix that fits is replaced, if what stands before it has a measure above the bound."""
    for suffix, other in rules:
        if word.endswith(suffix):
            root = word.removesuffix(suffix)
            return root + other if _measure(root) > above else word
    return word


def _form(word: str) -> str:
    """The word as c and v; y is a vowel after a consonant."""
    form = ""
    for letter in word:
        form += "v" if letter in "aeiou" or (letter == "y" and form.endswith("c")) else "c"
    return form


def _measure(word: str) -> int:
    """How many times a vowel is followed by a consonant."""
    return len(_RUN.findall(_form(word)))


def _has_vowel(word: str) -> bool:
    return "v" in _form(word)


def _doubled(word: str) -> bool:
    return len(word) > 1 and word[-1] == word[-2] and _form(word)[-1] == "c"


def _short(word: str) -> bool:
    """Whether it ends consonant, vowel, consonant, the last not w, x or y."""
    return _form(word)[-3:] == "cvc" and word[-1] not in "wxy"
