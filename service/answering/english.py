"""The English words by which the check of support reads a sentence: what each does in it, and what is one word."""

from __future__ import annotations

from typing import Literal

from index.lexical import terms
from service.answering.months import MONTHS, WEEKDAYS

Kind = Literal["word", "number", "prep", "not", "modal", "who", "join", "pronoun", "be", "break", "other"]

_SMALL_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split()
)
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SMALL = {word: number for number, word in enumerate(_SMALL_WORDS)} | {
    word: 10 * number for number, word in enumerate(_TENS_WORDS, start=2)
}
LARGE = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "dozen": 12}

TIMES = frozenset(
    (
        *(name.casefold() for name in (*MONTHS, *WEEKDAYS)),
        *"jan feb mar apr jun jul aug sep sept oct nov dec".split(),
    )
)
_PREPOSITIONS = (
    "in on at of by for from to with without against before after above below under over until till since between into "
    "onto through during despite within per except than as because although though when while so if unless via among "
    "towards toward behind beside beyond near around up down off out like whether alone"
).split()
SAME_PREPOSITION = {"till": "until", "toward": "towards", "out": "off"}
_NEGATIONS = "not no never none nobody nothing neither nor without cannot hardly nowhere".split()
MODALS = {"could": "can", "might": "may", "shall": "will", "wo": "will", "ca": "can"}
KINDS: dict[str, Kind] = {
    **dict.fromkeys(_PREPOSITIONS, "prep"),
    **dict.fromkeys(_NEGATIONS, "not"),
    **dict.fromkeys("can could may might would should must will shall".split(), "modal"),
    **dict.fromkeys("if unless whether".split(), "modal"),
    **dict.fromkeys("who which whom whose what where why how".split(), "who"),
    **dict.fromkeys("and or but whereas yet".split(), "join"),
    **dict.fromkeys(
        "i you he she it they we him her them us his its their our my your this these those".split(), "pronoun"
    ),
    **dict.fromkeys("is are was were be been being am 's".split(), "be"),
    **dict.fromkeys("a an the has have had having do does did done that there also then just".split(), "other"),
}
# They say how much of a thing is meant: left out or put in, they change it.
QUANTIFIERS = frozenset(
    "all some most more less least many much few fewer only half both each any every several about nearly almost "
    "roughly exactly twice first last once again too very another other up".split()
)
# Without them the thing that they describe is another one.
CHANGING = frozenset(
    "former acting deputy vice ex alleged fake failed possible future potential suspected supposed false incoming "
    "outgoing interim designate elect".split()
)
# Whoever does this to a statement does not say that it is so.
DISTANCE = frozenset(
    terms(
        "plan propose expect want hope allege allegedly possibly perhaps likely consider intend aim "
        "suppose schedule due threaten demand claim accuse argue believe think fear deny estimate predict forecast "
        "suggest appear seem try attempt refuse fail doubt promise warn offer seek urge request proposal stop prevent "
        "avoid block ban forbid cancel delay postpone reject oppose prohibit rather provided condition case"
    )
)
SAY = frozenset(terms("say tell add according explain announce declare stress"))
# Forms of verbs and nouns that the stemmer does not bring together.
_FORMS = """
say said, tell told, rise rose risen, fall fell fallen, sell sold, win won, lead led, find found, fight fought, hold
held, pay paid, send sent, meet met, make made, become became, grow grew grown, take took taken, give gave given, go
went gone, come came, begin began begun, build built, buy bought, bring brought, spend spent, lose lost, leave left,
keep kept, stand stood, run ran, write wrote written, draw drew drawn, drive drove driven, see saw seen, know knew
known, think thought, speak spoke spoken, choose chose chosen, break broke broken, steal stole stolen, catch caught,
teach taught, feel felt, sink sank sunk, swim swam, fly flew flown, throw threw thrown, shoot shot, get got, hear
heard, mean meant, sit sat, sleep slept, wear wore worn, lie lay lain, seek sought, strike struck, deal dealt, show
shown, die died dead, person people, child children, man men, woman women, foot feet, kilometre kilometer km, metre
meter, percent %, withdraw withdrew withdrawn, kilogram kilogramme kg, jan january, feb february, mar march, apr
april, jun june, jul july, aug august, sep sept september, oct october, nov november, dec december
"""
AMOUNTS = frozenset("quarter third fifth percent average margin majority".split())
PARTICIPLES = frozenset(
    "sold won led found fought held paid sent met made taken given begun built bought brought spent lost left kept "
    "written drawn driven seen known chosen broken stolen caught taught thrown shot heard struck shown told hurt hit "
    "put set cut beaten born hidden eaten grown said".split()
)
VERBS = PARTICIPLES | set(
    "has had have does did do rose fell won led met made took gave went came began saw knew beat hit wrote drew broke "
    "grew became sold said says".split()
)

CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yen"}
ALIASES = {"us": "united states", "uk": "united kingdom", "eu": "european union", "un": "united nations"}


def _lemmas() -> dict[str, str]:
    lemmas: dict[str, str] = {}
    for group in " ".join(_FORMS.split()).split(","):
        forms = group.split()
        stem = (terms(forms[0]) or forms)[0]
        lemmas |= {one: stem for form in forms for one in (form, *terms(form))}
    return lemmas


LEMMAS = _lemmas()
