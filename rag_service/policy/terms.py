"""Words as the lexical arm sees them: split by Unicode, lower case, without the commonest, lightly stemmed."""

import re
import unicodedata

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
_VOWEL = re.compile(r"[aeiouy]")


def terms(text: str) -> list[str]:
    """The terms of a text, in order, with repetitions."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return [stem(word)[:MAX_TERM_CHARACTERS] for word in words if word not in STOP_WORDS]


def stem(word: str) -> str:
    """A light English stemmer: plurals, -ed, -ing, -ly (after Porter's first steps). Other words stay."""
    word = re.sub(r"['’]s?$", "", word)  # noqa: RUF001  # both apostrophes stand in texts
    if len(word) <= 3 or not word.isascii():
        return word
    if word.endswith("sses") or (word.endswith("ies") and len(word) > 4):
        word = word[:-2] if word.endswith("sses") else word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix in ("ing", "ed", "ly"):
        root = word.removesuffix(suffix)
        if root != word and len(root) >= 3 and _VOWEL.search(root):
            doubled = len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz"
            word = root[:-1] if doubled else root
            break
    return word.removesuffix("e") if len(word) > 4 else word
