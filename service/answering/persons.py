"""Words for persons: titles, roles, first names; and whether one is spoken of as "he" or as "she". English only."""

from __future__ import annotations

from typing import Literal

Gender = Literal["he", "she"]

TITLES = (
    "mr|mrs|ms|dr|prof|professor|sir|dame|king|queen|prince|princess|president|prime minister|minister|mayor|governor|"
    "senator|chancellor|premier|captain|chief|judge|justice|councillor|keeper|director|chair|pope|bishop|general|"
    "secretary|ambassador|detective|inspector|astronomer|economist|coach"
)
"""Words that stand before a person's name, as alternatives of a pattern."""

ROLES = frozenset(TITLES.replace(" ", "|").split("|"))
_PEOPLE = frozenset(
    "man woman boy girl lawyer attendant surgeon teacher farmer mother father wife husband son daughter brother "
    "sister widow author actor actress singer player scientist student patient doctor nurse chairman chairwoman "
    "spokesman spokeswoman leader member owner manager engineer architect official officer editor reporter candidate "
    "successor predecessor head boss wife deputy people men women children ministers residents fishermen".split()
)
_HE = frozenset("mr sir king prince lord father brother husband son chairman spokesman duke baron".split())
_SHE = frozenset("mrs ms miss dame queen princess lady mother sister wife daughter chairwoman spokeswoman".split())
_HE_NAMES = frozenset(
    "adam alan albert alexander andrew anthony arthur ben benjamin bob brian carl charles christopher "
    "daniel david donald edward emmanuel eric frank fred gary george harry henry howard jack jacob james jan jason "
    "jeff joe john jonathan joseph joshua justin karl keir kenneth kevin larry lars luca luke marco mark martin "
    "matthew max michael mike nicholas noah olaf oliver otto patrick paul pavel peter philip richard robert roger "
    "ronald samuel scott sean simon stephen steven thomas tim timothy tom tony victor vladimir walter william xavier "
    "felix hugo ezra nikita".split()
)
_SHE_NAMES = frozenset(
    "agnes alice amy ann anne beatrice beth carol caroline catherine charlotte chloe christine claire dorothy "
    "edith elizabeth ellen emily esther eve frances grace hannah harriet heather helen hester ines ingrid irene "
    "isabel jane janet jean jennifer jill joan joyce judith julie karen kate katharine katherine laura lily lucy "
    "marguerite margaret marie marion marisol mary maud meg megan miriam nancy nicole pauline rachel rebecca rose "
    "ruth sally sarah sharon sophie susan theresa ursula violet".split()
)


def is_person_word(word: str) -> bool:
    """Tell whether a lower-case noun is somebody."""
    return word in _PEOPLE or word in ROLES or word.removesuffix("s") in _PEOPLE | ROLES


def gender_of(name: str) -> Gender | None:
    """Tell whether a person is spoken of as "he" or "she", by title and first name; None if they do not tell."""
    for word in name.casefold().split():
        plain = word.strip(".")
        he, she = plain in _HE | _HE_NAMES, plain in _SHE | _SHE_NAMES
        if he != she:
            return "he" if he else "she"
        if plain not in ROLES and len(plain) > 1:  # a first name that is not on the lists may tell by its ending
            return "she" if len(plain) > 3 and plain.endswith(("a", "elle", "ette", "lyn")) else None
    return None
