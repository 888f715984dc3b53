"""Messages in conversations, and the questions that they ask: what those must hold, and what they must not."""

import pytest

from service.answering.question import stand_alone
from service.answering.reply import Turn


def talk(*contents):
    """Turns of a user and an assistant, who take turns."""
    return [Turn(("user", "assistant")[number % 2], content) for number, content in enumerate(contents)]


BRIDGE = talk("Who designed the Quillon Bridge?", "It was designed by the engineer Mirela Tosk in 1961. [1]")
CLOSURE = talk("When was the Quillon Bridge closed?", "The bridge was closed on 18 March 2025. [1]")
MAYOR = talk("Who is the mayor of Orlo?", "Ines Roth has been the mayor since 2019. [1]")
VISIT = talk("Where did Ines Roth go in May 2024?", "Mayor Ines Roth went to Orlo and met Pavel Ilic. [1]")
FERRY = talk("When does the night ferry to Tarn Island start?", "It starts on 4 May. [1]")
RATE = talk("What was the key rate of the Bank of Kaldria in May 2024?", "It was 4.25 percent. [1]")
FARES = talk("How much is a ticket for adults?", "A ticket for adults costs 12 crowns. [1]")
RIVALS = talk("Who are the candidates?", "The candidates are Aldous Renck and Wilma Ostler. [1]")
YARD = talk("What did the Skerry Line announce?", "It announced a new ferry to Hallow Isle. [1]")
FISHERS = talk("What do the fishermen in Port Callis have against the dredging?", "They name three worries. [1]")
TALKS = talk("Who attended the talks in Hestenby?", "Isaura Penn and Joss Harkaway attended. [1]")
SPEECH = talk("Who spoke on the first day?", "Pavel Ilic spoke. [1]")
FUND = talk("Is there any public help after Storm Odran?", "A relief fund of 12 million crowns opens on March 1. [1]")
TOWN = talk("In which town was the ship built?", "The ship was built in Tarn Skerry. [1]")
SHIP = talk(
    "What does the Maid of Hallow cost?", "The ship costs 34 million, of which the Transport Ministry pays 12. [1]"
)
STRIKE = talk("Tell me about the strike at Kaldrail", "Train drivers voted for a strike on 3 April. [1]")
BUS = talk("Where does bus route 12 to Hollin Beach start?", "It starts at the fish market. [1]")
CROSSING = talk("When does the ferry sail from Port Callis?", "At nine. [1]")
YARD_OWNER = talk("Who owns Marlow Crane?", "The shipyard Marlow Crane belongs to Edda Fink, who bought it. [1]")
SHIPPING = talk("Who leads Orlo Shipping?", "Orlo Shipping cuts 40 jobs, said Edith Lohse, its head. [1]")
DATED = talk("Which tunnel was closed?", "TAMSEL, 4 May 2025 — The Harn tunnel was closed on 2 May. [1]")
LAST_DAY = talk("Who sailed on the last day of the week?", "The operator Orlo Shipping sailed. [1]")
BIDDERS = talk("Which two companies bid for it?", "Northmoor Dredging Ltd. and Tidemarrow Inc. bid for it. [1]")

CASES = {
    "persons": [
        (BRIDGE, "When was she born?", ["When was", "Mirela Tosk", "born"], [" she "]),
        (BRIDGE, "What was her first work?", ["Mirela Tosk’s first work"], ["her "]),
        (BRIDGE, "And who paid her?", ["Who paid", "Mirela Tosk"], ["And", " her"]),
        (VISIT, "Whom did she meet?", ["Ines Roth", "meet"], ["Pavel", " she "]),
        (MAYOR, "Which party does she belong to?", ["does Ines Roth belong"], [" she "]),
        (talk("Who beat Aldous Renck?", "Mrs. Wilma Ostler beat him by 412 votes. [1]"), "What does he do now?", ["Aldous Renck"], ["Ostler"]),
        (talk("Who beat Aldous Renck?", "Mrs. Wilma Ostler beat him by 412 votes. [1]"), "What does she teach?", ["Wilma Ostler"], [" she"]),
        (talk("Who runs St. Hild Hospital?", "Dr. Leopold Kerrin is the director. He is a surgeon. [1]"), "How old is he?", ["Leopold Kerrin"], [" he"]),
        (talk("Is Corwin Ashdale out of office?", "Not yet. [1]"), "Who leads his party now?", ["Corwin Ashdale’s party now"], ["his"]),
        (YARD_OWNER, "When did she buy it?", ["When did Edda Fink buy", "Marlow Crane?"], ["shipyard"]),
        (SHIPPING, "How old is she?", ["How old is Edith Lohse"], [" she"]),
        (SHIPPING, "What does he say?", ["he say", "Orlo Shipping"], ["does Orlo"]),
        (talk("Who found it?", "A locker attendant at Hestenby Station, Silas Penhale, did. [1]"), "Did he get a reward?", ["Silas Penhale"], [" he "]),
    ],
    "things": [
        (BRIDGE, "How long is it?", ["the Quillon Bridge"], [" it"]),
        (BRIDGE, "And what did it cost?", ["What did the Quillon Bridge cost"], [" it "]),
        (FERRY, "How long does the trip take, and what is its fare?", ["its fare"], []),
        (FERRY, "Can I bring my bike on it?", ["my bike", "the night ferry to Tarn Island"], [" it"]),
        (SHIP, "How many cars can it carry?", ["can the Maid of Hallow carry"], ["Ministry"]),
        (STRIKE, "How long did it last?", ["How long did the strike at Kaldrail last"], []),
        (FUND, "How much can a family get from it?", ["a family", "the relief fund of 12 million crowns"], [" it?"]),
        (YARD, "When will it be ready?", ["the new ferry to Hallow Isle"], [" it "]),
        (CLOSURE, "Who owns that bridge?", ["Who owns", "bridge"], ["that"]),
        (BUS, "How much does it cost?", ["does bus route 12 to Hollin Beach cost?"], [" it "]),
        (CROSSING, "Who runs it?", ["Who runs the ferry?"], []),
        (DATED, "How long is it?", ["Harn tunnel"], ["Tamsel"]),
        (DATED, "What has changed since then?", ["since 2 May?"], ["2025"]),
        (SHIPPING, "What does it own?", ["What does Orlo Shipping own?"], []),
        (BRIDGE, "Why was that?", ["Why was that", "Quillon Bridge"], []),
    ],
    "several": [
        (FISHERS, "What compensation are they being offered?", ["What compensation are the fishermen in Port Callis being offered"], []),
        (FISHERS, "How many boats do their families own?", ["their families own (about the fishermen in Port Callis)"], []),
        (talk("What does Kaldrail Ltd. plan?", "Kaldrail Ltd. plans night trains. [1]"), "Do they plan new stations?", ["Kaldrail Ltd"], ["they"]),
        (STRIKE, "What do they demand?", ["What do train drivers demand", "the strike at Kaldrail"], []),
        (BIDDERS, "When do they start?", ["When do the two companies start"], []),
        (talk("Which ministers resigned?", "Two ministers resigned on Monday. [1]"), "Why did those ministers resign?", ["ministers resign"], []),
    ],
    "places and times": [
        (TOWN, "How many people live there?", ["live in Tarn Skerry"], ["there"]),
        (VISIT, "When did she move there?", ["Ines Roth move to Orlo"], ["there"]),
        (talk("What happened at Hallow Isle?", "A fire broke out. [1]"), "Was anyone there hurt?", ["Hallow Isle"], ["there"]),
        (CLOSURE, "What has changed since then?", ["since 18 March 2025"], ["then"]),
        (STRIKE, "Is there a new contract since then?", ["since 3 April?"], ["then"]),
        (CLOSURE, "Who was mayor that year?", ["in 2025"], ["that year"]),
        (CLOSURE, "Which other bridges were closed on the same day?", ["on 18 March 2025"], ["same day"]),
    ],
    "of two": [
        (RIVALS, "Is the former a teacher?", ["Is Aldous Renck a teacher"], ["former"]),
        (RIVALS, "What does the latter want?", ["What does Wilma Ostler want"], ["latter"]),
        (BIDDERS, "What did the former offer?", ["What did Northmoor Dredging Ltd offer"], ["former"]),
        ([*RIVALS, *talk("How old is Aldous Renck?", "He is 61. [1]")], "And the other one?", ["Wilma Ostler"], ["Renck"]),
    ],
    "the question again": [
        (RATE, "And in June?", ["What was the key rate of the Bank of Kaldria in June 2024?"], ["May"]),
        (RATE, "What about 2025?", ["in May 2025?"], ["2024"]),
        (RATE, "And in Manitoba?", ["key rate of the Bank of Kaldria in May 2024", "in Manitoba?"], []),
        (MAYOR, "And of Tamsel?", ["Who is the mayor of Tamsel?"], ["Orlo"]),
        (SPEECH, "and on the second one?", ["Who spoke on the second day?"], ["first"]),
        (FARES, "And for children?", ["How much is a ticket for children?"], ["adults"]),
        (TALKS, "And in Orlo?", ["Who attended the talks in Orlo?"], ["Hestenby"]),
        (talk("What does the bridge cost?", "34 million. [1]"), "And the ferry?", ["What does the ferry cost?"], ["bridge"]),
        (talk("Whom did Carney meet in Paris?", "Macron. [1]"), "And Joly?", ["Whom did Joly meet in Paris?"], ["Carney"]),
        (TALKS, "Who else?", ["Who else attended the talks in Hestenby?"], []),
        (FERRY, "Why?", ["Why does the night ferry to Tarn Island start?"], ["When"]),
        (CLOSURE, "Until when?", ["Until when was the Quillon Bridge closed?"], []),
        (BRIDGE, "When?", ["When was it that", "Mirela Tosk designed the Quillon Bridge?"], []),
        (MAYOR, "Since when?", ["Since when is Ines Roth the mayor of Orlo?"], []),
        (talk("Is the Callis Star out of service?", "Yes. [1]"), "Since when?", ["Since when is the Callis Star out of service?"], []),
        (YARD_OWNER, "Since when?", ["Since when is it that Edda Fink owns Marlow Crane?"], []),
        (SHIPPING, "Since when?", ["Since when is it that Edith Lohse leads Orlo Shipping?"], []),
        (MAYOR, "And her salary?", ["Ines Roth’s salary"], ["her "]),
    ],
    "what is left unsaid": [
        (FERRY, "what does the cheapest ticket cost", ["what does the cheapest ticket cost", "Tarn Island"], []),
        (FERRY, "How many people?", ["How many people", "the night ferry to Tarn Island"], []),
        (CLOSURE, "What happened next?", ["What happened next", "Quillon Bridge"], []),
        (CLOSURE, "Was anyone injured?", ["Was anyone injured", "Quillon Bridge"], []),
        (CLOSURE, "Tell me more, please", ["Tell me more", "Quillon Bridge"], []),
        (BUS, "What about the children?", ["What about the children (about bus route 12 to Hollin Beach)"], []),
        (LAST_DAY, "What about the passengers?", ["passengers (about", "Orlo Shipping)"], ["week"]),
        (FERRY, "How long is the old one?", ["the old one", "Tarn Island"], []),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("history", "message", "held", "missing"),
    [pytest.param(*case, id=f"{kind}: {case[1]}") for kind, cases in CASES.items() for case in cases],
)
def test_a_message_that_leans_back_becomes_a_question_that_stands(history, message, held, missing):
    question = stand_alone(message, history)
    assert [words for words in held if words.casefold() not in question.casefold()] == [], question
    assert [words for words in missing if words.casefold() in question.casefold()] == [], question


@pytest.mark.parametrize(
    "message",
    [
        "Who is the mayor of Paris?",
        "Which company repaired the Orvalt stadium roof in June?",
        "Is there a ferry to Sennet Bay in winter?",
        "how often should i water a cactus that stands indoors",
        "What is a sluice?",
        "What does collateral mean?",
        "How do I apply for a passport?",
        "How high is the tariff on steel?",
        "What is the weather like in Tamsel?",
        "Who is Una Brockett, and what does she want?",
        "Did the Harbour Authority publish its report?",
        "What did Carney say about his trip?",
        "Is it true that Kaldrail raises fares?",
        "Thanks, that helps!",
        "thank you very much",
        "ok",
        "?!",
    ],
)
def test_a_message_on_something_else_or_on_nothing_is_left_alone(message):
    for history in (FERRY, BRIDGE, VISIT):
        assert stand_alone(f"  {message} ", history) == message


def test_what_is_named_behind_stands_before_the_question_mark_alone():
    history = talk("Who runs the night ferry?", "Strand runs the night ferry.")
    assert stand_alone("Why 35%?", history) == "Why 35% (about the night ferry)?"


@pytest.mark.parametrize(
    "message",
    [
        "Which ministers travel with Varga on his second visit to the White House, and which on the first?",
        "Who goes with Varga on her second visit?",
        "Is the tariff 25% or 35%?",
    ],
)
def test_a_message_that_says_whom_it_means_is_left_alone(message):
    history = talk("How much does the new bridge cost?", "The new Quillon Bridge will cost $289 million.")
    assert stand_alone(message, history) == message


def test_a_chain_is_resolved_from_its_beginning():
    turns = [*MAYOR, *talk("Where was she born?", "In Hestenby. [1]", "Thanks!", "You are welcome.")]
    assert "Ines Roth" in stand_alone("And when did she leave it?", turns)
    fund = [*FUND, *talk("How much can a family get from it?", "Households receive up to 4,000 crowns. [1]")]
    assert stand_alone("By when do I have to apply for it?", fund).startswith(
        "By when do I have to apply for the relief fund of 12 million crowns"
    )
    train = [*FERRY, *talk("Until when is the bistro open?", "Until 1 a.m. [1]")]
    assert "the night ferry to Tarn Island" in stand_alone("Can I bring a bike on it?", train)
    bus = [*BUS, *talk("How much will it cost?", "It will cost 3 crowns. [1]")]
    assert stand_alone("How often does it run?", bus) == "How often does bus route 12 to Hollin Beach run?"
    bus += talk("Why?", "The fuel is dear. [1]")
    assert stand_alone("Who runs it?", bus) == "Who runs bus route 12 to Hollin Beach?"
    yard = [*YARD_OWNER, *talk("Since when?", "Since 2019. [1]")]
    assert stand_alone("Where was she born?", yard).startswith("Where was Edda Fink born")
    assert "runs" not in stand_alone("What about the ships?", yard)
    years = [*RATE, *talk("And in 2025?", "It was 4 percent. [1]")]
    assert stand_alone("And in June?", years) == "What was the key rate of the Bank of Kaldria in June 2025?"


@pytest.mark.parametrize("end", [". ", ", "])
@pytest.mark.parametrize(
    ("name", "stump"), [("Harbour Minister Edda Fink", "Harbour Mi"), ("Edda Finkbein", "Edda Finkb")]
)
def test_a_long_answer_is_read_to_the_end_of_a_sentence_or_word(end, name, stump):
    rest = f"it rose and rose and then it fell{end}" * 20
    answer = f"{rest[-600 + len(stump) :]}{name} went home. [1]"  # its 600 characters end with the stump
    for message in ("What does she want?", "How old is he?"):
        question = stand_alone(message, talk("Who went home?", answer))
        assert stump.split()[-1] not in question.split(), question


def test_a_new_topic_is_what_later_messages_lean_on():
    turns = [*BRIDGE, *FERRY]
    question = stand_alone("Who sails it?", turns)
    assert "night ferry" in question
    assert "Quillon" not in question


@pytest.mark.parametrize("history", [[], talk("Thanks!", "You are welcome."), [Turn("assistant", "Ask me. [1]")]])
def test_there_may_be_nothing_to_lean_on(history):
    assert stand_alone("And what does it cost?", history) == "And what does it cost?"
