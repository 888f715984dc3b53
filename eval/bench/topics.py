"""Sentence templates of the synthetic articles: what a town's paper writes about, as facts that can be asked for.

A slot in braces is filled by `eval.bench.corpus`: {town}, {river}, {body} and {weekday} stay the same through an
article, all others, and every slot that begins with `any_`, are drawn anew each time. `{key}` is the answer of a fact.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that an article says and a question asks for.

    Attributes:
        key: Template of the answer, whose words stand in every sentence of the fact.
        sentences: Ways to say it; an article uses one.
        questions: Ways to ask for it; each names the town and the matter, so that one article alone has the answer.
    """

    key: str
    sentences: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A matter that a town can have one article about."""

    headlines: tuple[str, ...]
    leads: tuple[str, ...]
    facts: tuple[Fact, ...]
    list_lead: str
    list_items: tuple[str, ...]


def _cost(matter: str, verb: str) -> Fact:
    return Fact(
        "{money} million euros",
        (
            f"{matter} {verb} {{key}}, according to figures that {{body}} published.",
            f"The bill for {matter[0].lower()}{matter[1:]} comes to {{key}}, the {{role}} confirmed.",
        ),
        (
            f"How much money does {matter[0].lower()}{matter[1:]} in {{town}} take?",
            f"What is the cost of {matter[0].lower()}{matter[1:]} in {{town}}?",
        ),
    )


def _leader(matter: str) -> Fact:
    return Fact(
        "{person}",
        (
            f"{{key}}, who has worked for the town since {{past_year}}, is in charge of {matter}.",
            f"The council put {{key}} in charge of {matter} after a vote of {{votes}} to {{few}}.",
        ),
        (
            f"Who is in charge of {matter} in {{town}}?",
            f"Which person leads {matter} in {{town}}?",
        ),
    )


def _date(what: str, ask: str) -> Fact:
    return Fact(
        "{day} {month} {next_year}",
        (
            f"{what} on {{key}}, provided that the weather holds.",
            f"If all goes to plan, {what[0].lower()}{what[1:]} on {{key}}.",
        ),
        (f"On what day {ask} in {{town}}?", f"When {ask} in {{town}}?"),
    )


TOPICS: tuple[Topic, ...] = (
    Topic(
        ("{town} votes for a new bridge over the {river}", "New {river} bridge for {town} moves closer"),
        (
            "{Body} in {town} has approved a new road bridge over the {river}, ending {few} years of argument.",
            "A new bridge will carry traffic over the {river} at {town}, {body} decided on {weekday}.",
        ),
        (
            _cost("The new bridge", "costs"),
            _leader("the bridge project"),
            _date("The first cars cross the new bridge", "do the first cars cross the new bridge"),
            Fact(
                "{hundreds} metres",
                (
                    "The bridge is {key} long and rests on {few} piers.",
                    "With a length of {key}, the bridge needs {few} piers in the river bed.",
                ),
                ("How long is the new bridge in {town}?", "What length does the bridge at {town} have?"),
            ),
            Fact(
                "{firm}",
                (
                    "{key} won the contract to build the bridge against {few} other bidders.",
                    "The contract to build the bridge went to {key}, which had made the lowest of {few} bids.",
                ),
                ("Which company builds the bridge in {town}?", "Who won the bridge contract in {town}?"),
            ),
        ),
        "The plan for the bridge has these parts:",
        (
            "two lanes for cars and one for buses",
            "a path for cyclists on the {side} side",
            "lamps that dim after {hour} p.m.",
            "a weir for migrating fish below pier {few}",
        ),
    ),
    Topic(
        ("Library of {town} closes for repairs", "Water damage shuts the library in {town}"),
        (
            "The public library of {town} has closed its doors after water came through the roof.",
            "Readers in {town} must do without their library until the roof is repaired, {body} said on {weekday}.",
        ),
        (
            _cost("The repair of the library", "costs"),
            _leader("the library repairs"),
            _date("The library lets readers in again", "does the library let readers in again"),
            Fact(
                "{thousands} books",
                (
                    "Helpers carried {key} to a dry store on {street} before the shelves were taken down.",
                    "In all, {key} were moved to a dry store on {street}.",
                ),
                (
                    "How many books were moved out of the library in {town}?",
                    "What number of books did helpers in {town} carry to a dry store?",
                ),
            ),
            Fact(
                "{street}",
                (
                    "A bus with novels and picture books stops on {key} every {weekday}.",
                    "Until then a library bus stands on {key} from Monday to Friday.",
                ),
                ("Where does the library bus of {town} stop?", "On which street is the library bus in {town}?"),
            ),
        ),
        "Readers should know the following:",
        (
            "books on loan may be kept until {month}",
            "fines are waived for {few} weeks",
            "the children's corner moves to the school on {street}",
            "cards stay valid for {few} more months",
        ),
    ),
    Topic(
        ("Hospital in {town} opens an emergency ward", "{town} gets an emergency ward of its own"),
        (
            "The hospital of {town} opened an emergency ward on {weekday}, the first west of the {river}.",
            "Patients in {town} no longer need to travel in an emergency: the hospital has a ward for them.",
        ),
        (
            _cost("The emergency ward", "takes"),
            _leader("the emergency ward"),
            _date("The second operating theatre opens", "does the second operating theatre of the hospital open"),
            Fact(
                "{tens} beds",
                (
                    "The emergency ward has {key}, twice as many as first planned.",
                    "There is room for {key} in the emergency ward and for {few} ambulances at its gate.",
                ),
                (
                    "How many beds does the emergency ward in {town} have?",
                    "What number of beds is in the hospital's emergency ward in {town}?",
                ),
            ),
            Fact(
                "{hundreds} patients",
                (
                    "In its first month the ward treated {key}, most of them after falls.",
                    "Nurses counted {key} in the first month of the ward.",
                ),
                (
                    "How many patients did the emergency ward in {town} treat in its first month?",
                    "What number of patients came to the ward in {town} in the first month?",
                ),
            ),
        ),
        "According to the hospital, patients should bring:",
        (
            "a list of the medicines that they take",
            "the number of a relative who can be called before {hour} p.m.",
            "results of tests that are less than {few} months old",
            "their insurance card",
        ),
    ),
    Topic(
        ("Strike stops the trams of {town}", "Tram drivers in {town} walk out over shifts"),
        (
            "No tram left the depot of {town} on {weekday} after drivers walked out over longer shifts.",
            "Tram drivers in {town} have gone on strike, leaving commuters to walk, cycle or wait for buses.",
        ),
        (
            _leader("the talks about the tram strike"),
            _date("The tram drivers vote on an offer", "do the tram drivers vote on an offer"),
            Fact(
                "{percent} per cent",
                (
                    "The drivers ask for {key} more pay and a free weekend each month.",
                    "Their union wants wages to rise by {key} over {few} years.",
                ),
                (
                    "How much more pay do the tram drivers in {town} want?",
                    "What rise do tram drivers ask for in {town}?",
                ),
            ),
            Fact(
                "{hundreds} drivers",
                (
                    "Some {key} took part in the walkout, the depot said.",
                    "The union counted {key} who stayed away from the depot on {street}.",
                ),
                ("How many drivers joined the tram strike in {town}?", "What number of tram drivers struck in {town}?"),
            ),
            Fact(
                "{firm}",
                (
                    "{key}, which has run the trams since {past_year}, called the strike unlawful.",
                    "The operator, {key}, went to court against the strike.",
                ),
                ("Which company runs the trams in {town}?", "Who operates the tram lines of {town}?"),
            ),
        ),
        "While the strike lasts, travellers have these choices:",
        (
            "buses from {street} every {tens} minutes",
            "free parking at the stadium until {hour} p.m.",
            "hired bicycles at half price for {few} days",
            "shared taxis from the station",
        ),
    ),
    Topic(
        ("Flood leaves {town} without power", "{river} floods the old town of {town}"),
        (
            "The {river} burst its banks at {town} on {weekday} and left the old town without electricity.",
            "Streets in {town} stood under water after the {river} rose faster than at any time since {past_year}.",
        ),
        (
            _cost("The flood damage", "amounts to"),
            _leader("the flood relief"),
            Fact(
                "{hundreds} homes",
                (
                    "Power failed in {key} and came back only after {few} days.",
                    "In {key} the lights went out; a substation on {street} had been under water.",
                ),
                (
                    "How many homes lost power in the flood in {town}?",
                    "What number of homes in {town} were without power?",
                ),
            ),
            Fact(
                "{hundreds} centimetres",
                (
                    "The gauge at the mill showed {key}, the highest mark on record.",
                    "At its peak the river stood at {key}, {few} hours before dawn.",
                ),
                (
                    "How high did the river stand in the flood at {town}?",
                    "What did the gauge show at the peak in {town}?",
                ),
            ),
            Fact(
                "{street}",
                (
                    "People who had to leave their homes slept in a gym on {key}.",
                    "A shelter with {tens} camp beds was set up on {key}.",
                ),
                (
                    "Where was the flood shelter in {town}?",
                    "On which street in {town} could people sleep after the flood?",
                ),
            ),
        ),
        "The relief fund pays for:",
        (
            "furniture up to {hundreds} euros a household",
            "the drying of cellars within {few} weeks",
            "a night in a hotel for families with children",
            "new meters where the old ones were under water",
        ),
    ),
    Topic(
        ("Museum in {town} shows finds from the harbour", "Sunken ship fills the museum of {town}"),
        (
            "The museum of {town} shows for the first time what divers raised from a ship that sank in {old_year}.",
            "Coins, bells and boots from a wreck are on show in {town} from {weekday}.",
        ),
        (
            _leader("the exhibition about the wreck"),
            _date("The exhibition about the wreck closes", "does the exhibition about the wreck close"),
            Fact(
                "{hundreds} objects",
                (
                    "On show are {key}, among them the ship's bell.",
                    "Of all the finds the museum chose {key}, the smallest a needle of bone.",
                ),
                ("How many objects does the museum in {town} show?", "What number of finds is on show in {town}?"),
            ),
            Fact(
                "{old_year}",
                (
                    "Rings in the timber date the wreck: the ship was built in {key}.",
                    "The ship left its yard in {key}, as a mark on the keel says.",
                ),
                (
                    "In what year was the wrecked ship in {town}'s museum built?",
                    "When was the ship at the {town} museum built?",
                ),
            ),
            Fact(
                "{small} euros",
                (
                    "A ticket costs {key}; children pay nothing.",
                    "Visitors pay {key}, and half of it in the last {few} days.",
                ),
                ("What does a ticket to the museum in {town} cost?", "How much do visitors of the {town} museum pay?"),
            ),
        ),
        "Visitors can also:",
        (
            "try on a diver's helmet of {past_year}",
            "watch a conservator at work every {weekday}",
            "follow the ship's last voyage on a map {few} metres wide",
            "buy a copy of the captain's letters",
        ),
    ),
    Topic(
        ("Factory in {town} to make batteries", "Battery plant brings jobs to {town}"),
        (
            "A factory for batteries is to be built on the edge of {town}, {body} announced on {weekday}.",
            "{town} has won the race for a battery plant that {few} towns wanted.",
        ),
        (
            _cost("The battery plant", "costs"),
            Fact(
                "{firm}",
                (
                    "Behind the plant stands {key}, which already makes parts in {few} countries.",
                    "The plant belongs to {key}, whose sales grew by {percent} per cent last year.",
                ),
                ("Which company builds the battery plant in {town}?", "Who owns the battery factory of {town}?"),
            ),
            Fact(
                "{thousands} jobs",
                (
                    "The factory brings {key}, a third of them for people without a trade.",
                    "In the end there will be {key} at the plant, the company promises.",
                ),
                (
                    "How many jobs does the battery plant bring to {town}?",
                    "What number of jobs comes to {town}'s factory?",
                ),
            ),
            _date("The first battery leaves the plant", "does the first battery leave the plant"),
            Fact(
                "{tens} hectares",
                (
                    "The site by the railway covers {key} and was a sugar mill until {past_year}.",
                    "It takes up {key} of fields between the railway and {street}.",
                ),
                (
                    "How large is the site of the battery plant in {town}?",
                    "What area does the factory in {town} cover?",
                ),
            ),
        ),
        "The agreement with the company says that it will:",
        (
            "train {tens} apprentices a year",
            "take no water from the {river} in summer",
            "put solar panels on {percent} per cent of the roof",
            "pay back the grant if it leaves within {few} years",
        ),
    ),
    Topic(
        ("Wolves return to the hills of {town}", "Wolf pack seen near {town}"),
        (
            "Wolves live in the hills above {town} again, {body} said on {weekday} after months of searching.",
            "A camera in the woods near {town} has filmed a wolf with cubs, the first since {old_year}.",
        ),
        (
            _leader("the wolf survey"),
            Fact(
                "{few} cubs",
                (
                    "The film shows a female with {key} at a stream.",
                    "Rangers saw {key} at play near the old quarry.",
                ),
                ("How many wolf cubs were seen near {town}?", "What number of cubs does the pack at {town} have?"),
            ),
            Fact(
                "{tens} sheep",
                (
                    "Farmers lost {key} between spring and autumn.",
                    "In one season {key} were killed, most of them on a single farm.",
                ),
                (
                    "How many sheep did farmers lose to wolves near {town}?",
                    "What number of sheep was killed at {town}?",
                ),
            ),
            Fact(
                "{hundreds} euros",
                (
                    "For every animal lost the state pays {key}.",
                    "A farmer gets {key} for each animal that wolves killed.",
                ),
                (
                    "What does a farmer near {town} get for a killed animal?",
                    "How much is paid per lost animal in {town}?",
                ),
            ),
            _date("A public meeting about the wolves takes place", "does the meeting about the wolves take place"),
        ),
        "Walkers are asked to:",
        (
            "keep dogs on a lead of at most {few} metres",
            "stay on the paths after {hour} p.m.",
            "report tracks to the rangers' office on {street}",
            "leave no food behind",
        ),
    ),
)

BACKGROUND: tuple[str, ...] = (
    "In {any_year}, {any_body} had looked at a similar question and put it off for {any_few} years.",
    "{any_firm} employs {any_hundreds} people in the district, {any_tens} fewer than in {any_year}.",
    "The population has grown by {any_percent} per cent since {any_year}, mostly through families from the coast.",
    "A survey of {any_hundreds} households found that {any_percent} per cent had never heard of the plans.",
    "The last time that so many people came to a meeting was in {any_month} {any_year}.",
    "Neighbouring {any_town} went another way and now pays {any_small} euros a head and year.",
    "{any_Body} wants to see the papers before {any_month} and has asked for {any_few} copies.",
    "Rents on {any_street} have risen by {any_percent} per cent within {any_few} years.",
    "A report of {any_hundreds} pages, written for {any_body}, had warned of delays.",
    "Money from the regional fund covers {any_percent} per cent; the rest comes from the town's own reserves.",
    "On {any_street}, shopkeepers fear that they will lose customers to {any_town}.",
    "The school at the end of {any_street} has {any_hundreds} pupils and wants a crossing with lights.",
    "The train from {any_town} now takes {any_tens} minutes, {any_few} fewer than before.",
    "An older plan, drawn up by {any_firm} in {any_year}, was found too dear.",
    "Volunteers gave more than {any_hundreds} hours, many of them in the evening and on Sundays.",
    "Whether the rules of {any_year} still apply is a matter for the courts in {any_town}.",
    "The summer was dry, with {any_tens} days without rain before the end of {any_month}.",
    "Letters from {any_hundreds} residents have reached {any_body}, about half of them in favour.",
    "At the weekly market, opinions were as mixed as the weather.",
    "The {any_river} is shallow here, and boats can pass only between {any_month} and {any_month}.",
    "{any_person}, who wrote a history of the district, calls it the largest change since {any_year}.",
    "Two of the {any_tens} members abstained, and one left before the vote.",
    "Similar projects in {any_town} and {any_town} took {any_few} years longer than announced.",
    "The insurance company has not yet said whether it will pay.",
    "Prices for steel and timber rose by {any_percent} per cent in the same time.",
    "From {any_month} on, {any_body} will publish the figures every {any_few} weeks.",
    "The old mill on {any_street}, empty since {any_year}, is not part of the plan.",
    "{any_firm} declined to comment and referred to a statement of {any_month}.",
    "About {any_hundreds} people signed up for news by letter, and {any_tens} offered to help.",
    "The minutes of the meeting run to {any_tens} pages and can be read at the town hall on {any_street}.",
    "Bus line {any_tens} will run every {any_small} minutes instead of every hour.",
    "Experts at the university of {any_town} measured for {any_few} months and found nothing unusual.",
)

QUOTES: tuple[str, ...] = (
    "“We have waited {any_few} years for this, and we can wait another winter,” said {any_person}, who lives on "
    "{any_street}.",
    "“Nobody asked us,” said {any_person}, {any_age}, a baker. “We read it in the paper like everybody else.”",
    "{any_person} of {any_firm} spoke of “a fair result for a town of this size”.",
    "“I counted {any_tens} lorries before breakfast,” {any_person} told the meeting.",
    "“If it works in {any_town}, it can work here,” said {any_person}, the {any_role}.",
    "“The figures are sound, but they are not the whole story,” {any_person} wrote to {any_body}.",
    "“My grandmother saw the same thing in {any_year},” said {any_person}, {any_age}.",
    "The {any_role}, {any_person}, said that the town had “learned from {any_year}” and would not rush.",
    "“Come back in {any_month} and look again,” said {any_person}, leaning on a spade.",
    "“It is {any_small} minutes by bicycle, and that is what counts,” {any_person} said.",
)

HEADINGS: tuple[str, ...] = (
    "What happens next",
    "How it came to this",
    "What people in the town say",
    "The figures",
    "A long dispute",
    "Questions that remain",
    "Lessons from {any_town}",
    "What it means for {any_street}",
)
