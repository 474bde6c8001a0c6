"""Words that decide what a sentence says: what negates, allows, demands, counts, and what is the opposite of what."""

import re

from rag_service.policy.stemming import stem


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEGATIONS = _words(
    "no not never none nothing neither nor nobody without cannot can't cant won't wont don't dont doesn't doesnt "
    "didn't didnt isn't isnt aren't arent wasn't wasnt weren't werent hasn't haven't hadn't shouldn't mustn't unable "
    "impossible"
)
NEGATING = frozenset(map(stem, ("fails", "refuses", "lacks", "forbids", "forbidden", "prohibited")))
"""Stems that say that something is not."""
ALLOWING = _words("may can could might allowed optional optionally")
DEMANDING = _words("must shall required obliged compulsory mandatory needs need")
UNIVERSAL = _words("all every each always everybody everyone everything")
SOME = _words("some most many few several partly sometimes often usually rarely mostly")
FUNCTION = ALLOWING | DEMANDING | UNIVERSAL | SOME | NEGATIONS | _words("only also just then than while")
TWO = _words("both neither either")
"""Words that make two of what stands near them."""
SUBORDINATE = _words("if when whenever because since unless although though after before until while whether where")
FRONTED = SUBORDINATE | _words(
    "in on at above below under over during from for with by within as beyond behind near to"
)
"""What a sentence begins with whose subject comes later."""
_COUNTED = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
COUNTS = {name: str(number) for number, name in enumerate(re.findall(r"\w+", _COUNTED))} | {
    "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80",
    "ninety": "90", "hundred": "100", "thousand": "1000", "twice": "2",
}  # fmt: skip

_OPPOSITES = re.findall(
    r"(\w+)/(\w+)",
    "increase/decrease increase/reduce rise/fall rose/fell raise/lower higher/lower highest/lowest high/low more/less "
    "most/least more/fewer larger/smaller largest/smallest large/small before/after above/below always/never "
    "allowed/forbidden first/last maximum/minimum stable/unstable laminar/turbulent subsonic/supersonic upper/lower "
    "open/closed enabled/disabled accept/refuse accept/reject include/exclude faster/slower earlier/later "
    "positive/negative thick/thin thicker/thinner good/poor good/bad better/worse best/worst strong/weak hot/cold "
    "heated/cooled heated/cold inside/outside possible/impossible succeed/fail success/failure public/private "
    "required/optional gain/lose add/remove front/rear left/right early/late win/lose buy/sell bought/sold lend/borrow "
    "accelerate/decelerate attached/separated symmetric/asymmetric import/export begin/end begin/finish began/finished "
    "begun/finished start/stop start/end start/finish for/against arrive/leave arrive/depart full/empty old/new "
    "encrypted/unencrypted visible/hidden internal/external input/output longer/shorter long/short day/night "
    "summer/winter morning/evening north/south east/west true/false male/female buyer/seller sender/receiver "
    "landlord/tenant employer/employee teacher/student cause/prevent create/delete grant/deny up/down on/off near/far "
    "rich/poor cheap/expensive easy/difficult dark/light wet/dry",
)
OPPOSITE: dict[str, set[str]] = {}
for _pair in _OPPOSITES:
    _one, _other = map(stem, _pair)
    OPPOSITE.setdefault(_one, set()).add(_other)
    OPPOSITE.setdefault(_other, set()).add(_one)
