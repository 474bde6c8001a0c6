"""Words as the lexical arm sees them: split by Unicode, lower case, without the commonest, stemmed.

Chinese, Japanese and Korean are written without spaces, or with endings: of them each two characters that follow each
other are a term, so that a question finds its words in the middle of a sentence.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from rag_service.policy.stemming import stem

MAX_TERM_CHARACTERS = 64
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # noqa: RUF001  # both apostrophes stand in texts
_UNSPACED = "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_RUN = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by can did do does for from had has have he her his how i if in into is it "
        "its me my no not of on or our she so such that the their them then there these they this to up us "
        "was we were what when where which who why will with you your ",
    )
)
_POSSESSIVE = re.compile(r"['’]s?$")  # noqa: RUF001  # both apostrophes stand in texts


def terms(text: str) -> list[str]:
    """The terms of a text, in order, with repetitions."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).lower())
    if not text.isascii() and _IS_UNSPACED.search(text):
        words = [piece for word in words for piece in _pieces(word)]
    return [stem(_POSSESSIVE.sub("", word))[:MAX_TERM_CHARACTERS] for word in words if word not in STOP_WORDS]


def _pieces(word: str) -> Iterator[str]:
    """The pairs of characters of what is written without spaces; the rest as it is."""
    for run in _RUN.findall(word):
        if len(run) > 1 and _IS_UNSPACED.match(run):
            yield from map("".join, pairwise(run))
        else:
            yield run
