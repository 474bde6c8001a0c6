"""What a question asks for: its terms, and the kind of thing that would answer it (a number, a time, a person, ...).

Of English questions; of others every kind is OTHER, and terms and vectors decide.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from rag_service.policy.defining import sought
from rag_service.policy.terms import terms
from rag_service.policy.words import COUNTS


class Kind(Enum):
    """The kind of thing that answers a question."""

    NUMBER = "number"
    DURATION = "duration"
    MONEY = "money"
    FREQUENCY = "frequency"
    TIME = "time"
    PERSON = "person"
    PLACE = "place"
    REASON = "reason"
    WAY = "way"
    WHETHER = "whether"
    OTHER = "other"


QUANTITIES = frozenset((Kind.NUMBER, Kind.DURATION, Kind.MONEY, Kind.FREQUENCY))
WORDED = frozenset((Kind.REASON, Kind.WAY, Kind.PERSON))
"""What no number answers."""
_COUNTED = "|".join(COUNTS)
_FIGURE = rf"(?:\d[\d.,]*|{_COUNTED}|half|several)"
_SPAN = r"(?:milli|micro)?(?:seconds?|minutes?|hours?|days?|nights?|weeks?|months?|years?|decades?|centur(?:y|ies))"
_CURRENCIES = (
    "usd|eur|gbp|chf|jpy|cny|inr|krw|sek|nok|dkk|isk|pln|czk|huf|ron|bgn|rub|uah|brl|mxn|cad|aud|nzd|sgd|hkd|zar|ils"
)
_HELD = {
    Kind.NUMBER: rf"\d|\b(?:{_COUNTED}|half|none|no|dozens?|double|once)\b",
    Kind.DURATION: rf"\b{_FIGURE}(?:[\s-]+\w+)?[\s-]+{_SPAN}\b|\ban? {_SPAN}\b|\d\s?(?:ms|s|min|h)\b|\bforever\b",
    Kind.MONEY: (
        r"[$€£¥₹₩₽₺₫฿]|%|\b(?:euros?|dollars?|pounds?|francs?|cents?|kron(?:a|e|er|or)|yen|yuan|rupees?|pesos?|z\u0142oty|free|"
        rf"nothing|percent)\b|\b[km]?(?:{_CURRENCIES})\b|\d\s?[km]?(?:{_CURRENCIES}|kr|z\u0142|k\u010d)\b"
    ),
    Kind.FREQUENCY: (
        r"\b(?:every|each|once|twice|times?|daily|hourly|weekly|monthly|yearly|per|nightly|never|always|continuously)\b"
        r"|\ba (?:second|minute|hour|day|night|week|month|year)\b"
    ),
    Kind.TIME: (
        r"\b\d{3,4}\b|\d:\d\d|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|"
        r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|today|midnight|noon|morning|evening|night|day|week|"
        r"month|year|century|hours?|minutes?|seconds?|days|weeks|months|years|when|whenever|after|before|until|once|"
        r"within|during|if|above|below|as soon as|less than|more than|at once|immediately)\b"
    ),
    Kind.REASON: (
        r"\b(?:because|since|so that|as|therefore|thus|due to|owing to|in order to|reason|cause[sd]?|for|to|leads?|"
        r"otherwise|else|which is why|would|needs?|without)\b"
    ),
    Kind.PLACE: (
        r"\b(?:in|at|on|to|from|under|below|above|near|into|behind|beside|by|through|inside"
        r"|city|town|village|country|street|address|location|place|room|site|region)\b|[/~]\w"
    ),
    Kind.WAY: r"\b(?:by|with|using|through|via|use|run|set|press|open|first|then|when|if|from|in)\b|`|[/{(=]",
}
_HELD_PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _HELD.items()}
_NO_PERSONS = (
    "after|another|best|center|corner|either|ever|further|higher|however|larger|later|letter|lower|matter|member|never|"
    "neither|number|order|other|over|paper|power|rather|server|smaller|together|under|upper|water|weather|whether|for|"
    "floor|door|error|color|minor|major|prior|list|exist|consist|must|most|want|plant|wind|important|constant|instant|"
    "distant|relevant|tree|three|free|degree|see|fee|agree"
)
_PERSON = re.compile(
    r"(?<!^)(?<![.!?]\s)\b[A-Z][a-z]+|\b[A-Z][a-z]+ [A-Z][a-z]+"
    rf"|\b(?!(?:{_NO_PERSONS})\b)\w+(?:er|or|ist|ant|ian|ee|man|woman)s?\b|\b\w*(?:people|men|women)\b"
    r"|\b(?:who|whoever|nobody|everybody|anybody|somebody|everyone|anyone|team|staff|office|company|department|group|"
    r"board|committee|service|client|king|queen|head|adult|parent|state|we|you|i|he|she|they)s?\b"
)
_MASS = r"\b(?:(?:milli|kilo)?gram(?:me)?s?|ton(?:ne)?s?|pounds?|ounces?|weigh\w*)\b|\d\s?(?:[mk]?g|t|lbs?|oz)\b"
_LENGTH = (
    r"\b(?:(?:milli|centi|kilo)?met(?:re|er)s?|feet|foot|inch(?:es)?|miles?|yards?|fathoms?|store?ys|floors?)\b"
    r"|\d\s?(?:[mck]?m|ft|in)\b"
)
_DEGREES = r"°|\b(?:degrees?|celsius|fahrenheit|kelvins?)\b|\d\s?[CFK]\b"
_MEASURED = {
    "heavy": _MASS,
    **dict.fromkeys(("deep", "wide", "tall"), _LENGTH),
    **dict.fromkeys(("hot", "warm", "cold"), _DEGREES),
    "fast": (
        r"\b(?:per|an?|each|every) (?:milli)?(?:second|minute|hour|day)\b|\b(?:km/h|kph|mph|m/s|rpm|knots?|ms)\b"
        r"|\b(?:(?:milli)?seconds?|minutes?|hours?|days?|weeks?|immediately|instantly|at once)\b"
    ),
}
"""What a measure is told in. Others are told in too many ways to name them."""
_TIMELESS = "much|fast|heavy|deep|wide|tall|large|big|high|small|hot|warm|cold|loud|strong|tight"
_MEASURES = "many|much|large|big|high|deep|fast|heavy|wide|tall|far|hot|warm|cold|loud|small|strong|tight"
_KINDS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (Kind.FREQUENCY, r"\bhow (?:often|frequently)\b|\bhow many times\b"),
        (Kind.MONEY, r"\bhow (?:much|expensive)\b.*\b(?:cost|price|pay|paid|charge|fee|rent|money|worth|earn)"),
        (Kind.MONEY, r"\b(?:price|fee|rent|salary|cost) of\b|\bwhat (?:do|does|did|is|was)\b.*\b(?:cost|price|fee)\b"),
        (Kind.DURATION, r"\bhow (?:long|quickly|soon|early|late|old)\b"),
        (Kind.NUMBER, rf"\bhow (?:{_MEASURES})\b"),
        (
            Kind.NUMBER,
            r"\b(?:what|which) (?:number|percentage|share|size|temperature|speed|pressure|port|version|limit)\b",
        ),
        (
            Kind.TIME,
            r"^\W*(?:(?:and|but|so|since|until|by) )?when\b|\b(?:what|which) (?:time|day|date|year|month|hour)\b",
        ),
        (Kind.PERSON, r"\bwho\b|\bwhom\b|\bwhose\b"),
        (Kind.PLACE, r"\bwhere\b|\b(?:in|on|at) (?:which|what)\b"),
        (Kind.REASON, r"\bwhy\b|\bwhat (?:is|was) the (?:reason|cause)\b"),
        (Kind.WAY, r"\bhow (?:do|does|can|could|should|must|to|is|are|was|were|may|will|did)\b"),
    )
)
_WHETHER = re.compile(
    r"^\W*(?:(?:and|but|so|if|whether) )?(?:is|are|am|was|were|do|does|did|has|have|had|can|could|may|might|must|shall|"
    r"should|will|would)\b",
    re.IGNORECASE,
)


_BROAD = re.compile(
    r"^\W*(?:please |can you |could you )*(?:summari[sz]e|describe|explain|outline|compare|list|introduce|"
    r"(?:give|write|show)(?: me)? (?:an? |the )?(?:\w+ )?(?:overview|summary|outline|list)|tell me (?:about|more|what)|"
    r"what (?:is|are) (?:this|these|the (?:document|text|file)s?) about)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<!^)\b(?:[A-Z][\w-]*|\w+_\w+)\b")
_MEASURE = re.compile(rf"\bhow ({_TIMELESS})\b", re.IGNORECASE)
_UNITS = {measure: re.compile(pattern) for measure, pattern in _MEASURED.items()}
_SPANS = re.compile(
    rf"\b{_FIGURE}(?:[\s-]+\w+)?[\s-]+{_SPAN}\b|\b(?:in|since|by|of|until|from|before|after) (?:19|20)\d\d\b",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"\bhow (many|much)\s+(?:more |other |different )?([a-z-]+)", re.IGNORECASE)
_ASKING = frozenset(terms("how what which who when where why many much long often old tell explain say mean"))
EARLIER = 0.25
"""What a term counts that only stands in what was asked before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, taken apart."""

    text: str
    """As it is searched for."""
    terms: Mapping[str, float]
    """What each counts."""
    kind: Kind
    subject: str = ""
    """What is counted ("how many EGGS"), stemmed."""
    many: bool = False
    """Whether it is counted one by one: "how much power" is answered in megawatts."""
    names: tuple[str, ...] = ()
    """In lower case: who or what it names."""
    measure: str = ""
    """What is measured, where no span of time tells it ("how HEAVY"); "how much" only without a subject."""
    thing: tuple[str, ...] = ()
    """The terms of what it wants to know the meaning of: "what is a LEASE"."""
    broad: bool = False
    """Whether no single sentence answers it: "summarise the contract"."""


def asked(query: str, question: str = "") -> Asked:
    """What is searched for, and the last question in it, if that is shorter."""
    question = question or query
    kind = next((kind for kind, pattern in _KINDS if pattern.search(question)), Kind.OTHER)
    kind = Kind.WHETHER if _WHETHER.match(question) else kind
    found = _SUBJECT.search(question)
    latest = set(terms(question)) - _ASKING
    return Asked(
        text=query,
        terms={term: 1.0 if term in latest else EARLIER for term in terms(query) if term not in _ASKING},
        kind=kind,
        subject=next(iter(terms(found[2])), "") if found else "",
        many=found is not None and found[1].lower() == "many",
        names=tuple(dict.fromkeys(name.lower() for name in _NAME.findall(question) if name != "I")),
        measure=_measure(question, found) if kind is Kind.NUMBER else "",
        thing=sought(question),
        broad=bool(_BROAD.match(question)),
    )


def _measure(question: str, subject: re.Match[str] | None) -> str:
    found = _MEASURE.search(question)
    if found is None or (found[1].lower() == "much" and subject is not None and terms(subject[2])):
        return ""
    return found[1].lower()


def holds(question: Asked, said: str) -> bool:
    """Whether a text has a thing of the kind that is asked for, beside those that the question has itself."""
    if question.measure:
        # "How heavy" is not answered by "three years", nor by any other number that is of something else.
        said = said if question.measure == "fast" else _SPANS.sub(" ", said)
        if question.measure in _UNITS and not _UNITS[question.measure].search(said):
            return False
    if question.kind not in _HELD_PATTERNS and question.kind is not Kind.PERSON:
        return True
    if question.kind is Kind.PERSON:
        return any(found[0].lower() not in question.text.lower() for found in _PERSON.finditer(said))
    return bool(_HELD_PATTERNS[question.kind].search(said))
