"""A document's words on their way to a model: data, that can neither close its own quotation nor give orders.

Sentences that speak to a model ("ignore all previous instructions ...") are not shown to it, and carry no answer. The
markers of chat templates, which an engine reads as the platform's own, are broken. A search finds everything as it is.
"""

import re
import unicodedata

from rag_service.policy.chunking import sentences

LEFT_OUT = "[an instruction in the document was left out]"
_TEMPLATE = re.compile(
    r"<\|(?=[\w-]{1,32}\|>)|<(?=/?(?:passage|s|system|assistant|user|human)\b)|\[(?=/?INST\])", re.IGNORECASE
)
_ORDERS = (
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,30}\b(?:instructions?|prompts?)\b",
    r"\b(?:ignore|disregard|forget)\b[^.!?\n]{0,30}\byou (?:were|have been) told\b",
    r"\b(?:ignore|disregard|forget)\s+(?:all|everything|anything)\b[^.!?\n]{0,20}\b(?:above|before|previous)\b",
    r"\byou are (?:now|no longer)\b",
    r"\b(?:act as|pretend to be)\b[^.!?\n]{0,20}\b(?:ai|assistant|model|chatbot|hacker)\b",
    (
        r"^\W*(?:\w+[:,]\s*)?(?:always |please |only )?(?:respond|reply|answer|say|output|print)\b.{0,40}"
        r"\b(?:only with|exactly|the word|the phrase|the text|nothing but|nothing else)\b"
    ),
    r"\b(?:new|updated|hidden|secret) instructions?\s*(?::|for)",
    r"\binstructions? (?:for|to) (?:the |all )?(?:ai|assistant|llm)",
    r"\b(?:note|notice|message|reminder|attention|important)\b[^.!?:\n]{0,12}\b(?:ai|llm|assistant|model|chatbot)s?\b[^.!?\n]{0,12}:",
    # Others than English: German, French, Spanish, Portuguese, Italian, Dutch.
    r"\b(?:ignorier|missacht|vergiss|vergesst|vergessen sie)\w*\b[^.!?\n]{0,40}\b(?:anweisung|instruktion|vorgabe)",
    r"\b(?:ignor|oubli|olvid|esque[cç]|dimentic|nege|vergeet)\w*\b[^.!?\n]{0,40}\b(?:instruction|instruccion|instru[cç]|istruzion|instructie)",
    r"\b(?:antworte|antworten sie|sage|gib)\b[^.!?\n]{0,20}\b(?:nur mit|ausschlie\u00dflich|nichts als)\b",
    r"\b(?:reveal|repeat|leak|show|print)\b[^.!?\n]{0,30}\b(?:system prompt|your (?:prompt|instructions))\b",
)
_ORDER = re.compile("|".join(_ORDERS), re.IGNORECASE)


def orders(sentence: str) -> bool:
    """Whether a sentence of a document speaks to the model that reads it."""
    if not sentence.isascii():
        # Written with signs that nobody sees, or that only look like letters, it says the same to a model.
        seen = (sign for sign in unicodedata.normalize("NFKC", sentence) if unicodedata.category(sign) != "Cf")
        sentence = "".join(seen)
    return bool(_ORDER.search(sentence))


def quoted(text: str) -> str:
    """As a model is shown it."""
    shown = []
    end = 0
    for start, stop in sentences(text):
        if orders(text[start:stop]):
            shown.append(text[end:start] + LEFT_OUT)
        else:
            shown.append(text[end:stop])
        end = stop
    shown.append(text[end:])
    return plain("".join(shown))


def plain(text: str) -> str:
    """Without what a template, or our own quotation, is marked with."""
    return _TEMPLATE.sub(lambda match: match[0][0] + " " + match[0][1:], text)
