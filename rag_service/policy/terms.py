"""Words as the lexical arm sees them: split by Unicode, lower case, without the commonest, stemmed."""

import re
import unicodedata

from rag_service.policy.stemming import stem

MAX_TERM_CHARACTERS = 64
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # noqa: RUF001  # both apostrophes stand in texts
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
    return [stem(_POSSESSIVE.sub("", word))[:MAX_TERM_CHARACTERS] for word in words if word not in STOP_WORDS]
