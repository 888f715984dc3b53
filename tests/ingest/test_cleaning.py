"""Cleaning takes the page away and leaves every sentence of the article."""

import re
import time
from functools import cached_property
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.article import RefusedInput
from ingest.cleaning import Removed, clean, is_byline, one_line
from ingest.intake import prepare
from ingest.readers import read_file

REAL_ARTICLES = Path(__file__).parents[2].parent / "shared" / "articles"

TITLE = "Canal bridge shut"
FIRST = "The harbour office closed the old canal bridge on Monday."
LAST = "It opens again in autumn."


def cleaned(text, title=TITLE):
    return clean(text, title=title).text


def within(line):
    """Put a line between the sentences of an article."""
    return f"{FIRST}\n{line}\n{LAST}"


class TestCharacters:
    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            ("a\r\nb\rc\u2028d\x0be\x85f", "a\nb\nc\nd\ne\nf"),
            ("cafe\u0301", "café"),
            ("\ufeffwo\u200brd\xad s\u2060o\x07\x9f", "word so"),
            ("a\tb\xa0\u2009 c \u3000", "a b c"),
            ("  a  \n\n \t \n\n\nb", "a\n\nb"),
            ("carve\u2011out", "carve-out"),
            ("pay \u202eevil\u202c \U000e0041\U000e0042now", "pay evil now"),
            ("می\u200cخواهم", "می\u200cخواهم"),
            ("x > y_z “so” – it’s", "x > y_z “so” – it’s"),
        ],
    )
    def test_characters_are_tidied(self, found, expected):
        assert cleaned(found) == expected

    @pytest.mark.parametrize("text", ["half \ud800 pair", "\udfff"])
    def test_half_a_surrogate_pair_is_refused(self, text):
        with pytest.raises(RefusedInput, match="surrogate"):
            clean(text, title=None)

    def test_a_field_becomes_one_line(self):
        assert one_line(" Ada\u200b \r\n\tBerg ") == "Ada Berg"


class TestLists:
    def test_lone_marks_join_the_lines_they_mark(self):
        text = "The plan:\n-\nFirst thing\n–\n\nSecond thing\n•\n- Third thing\n-\n·\nFourth thing\n1.\nOne\n2)\nTwo\n-"
        assert cleaned(text).split("\n") == [
            "The plan:",
            "- First thing",
            "- Second thing",
            "- Third thing",
            "- Fourth thing",
            "1. One",
            "2. Two",
        ]

    def test_bullets_become_dashes(self):
        assert cleaned("• one\n▪two\n\n* three\n\n* four\n– five\n– six") == (
            "- one\n- two\n\n- three\n\n- four\n- five\n- six"
        )

    @pytest.mark.parametrize("line", ["* Prices without tax", "– And yet it stays shut.", "*Not* a list", "-5 degrees"])
    def test_a_single_asterisk_or_dash_is_no_list(self, line):
        assert cleaned(within(line)) == within(line)


class TestReferenceMarks:
    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            ("He is “ready” [1] [2].", "He is “ready”."),
            (
                "Ferries run [3, 4] again [1-3] from [5–7], the town says.[12]",
                "Ferries run again from, the town says.",
            ),
            ("word[3]word", "word word"),
            ("[1] Words", "Words"),
            ("Words [[2]]", "Words"),
            ("In [2019] and [sic] and [a]", "In [2019] and [sic] and [a]"),
            ("a [1[2]3] b", "a [1 3] b"),
        ],
    )
    def test_marks_are_removed_with_their_space(self, found, expected):
        assert cleaned(found) == expected


class TestHardWraps:
    WRAPPED = (
        "The harbour office closed the old canal bridge on Monday morning after\n"
        "the inspectors found two cracks in the main beam, and until the autumn\n"
        "ferries run instead."
    )
    JOINED = WRAPPED.replace("\n", " ")

    def test_wrapped_paragraphs_become_a_line_each(self):
        assert cleaned(f"{self.WRAPPED}\n\n{self.WRAPPED}") == f"{self.JOINED}\n\n{self.JOINED}"

    def test_a_heading_right_over_its_paragraph_stays_apart(self):
        assert cleaned(f"Why it closed\n{self.WRAPPED}") == f"Why it closed\n{self.JOINED}"

    def test_list_items_are_unwrapped_each(self):
        text = self.WRAPPED.replace("The", "- The", 1)
        assert cleaned(f"{text}\n{text}") == "\n".join([text.replace("\n", " ")] * 2)

    def test_a_compound_word_at_the_end_of_a_line_stays_whole(self):
        text = self.WRAPPED.replace(" after\n", " high-\n")
        assert " high-the inspectors" in cleaned(text)

    @pytest.mark.parametrize(
        "text",
        [
            "The harbour office closed the bridge on Monday.\nThe inspectors found cracks in the main beam.",
            "Bridge closed\nFerries run\nTown angry",
            "Ferries from the east quay of the town | every ten minutes\nfrom the west quay | every twenty",
            "A first line " + "that goes on " * 8 + "and on,\nso no.",
            "What the harbour office of the town does with its bridges and ferries\nThe bridge is shut.",
        ],
    )
    def test_other_lines_stay_lines(self, text):
        assert cleaned(text) == text


class TestFurniture:
    @pytest.mark.parametrize(
        "line",
        [
            "Also Read: Best bridges of the north", "ALSO READ", "Read more: Why ferries are late",
            "Read More »",
            "Related: Ferry tickets get dearer", "Related articles", "You might also like:",
            "See also: Canals",
            "Sign Up For Our Newsletter to get all the news", "Subscribe to our daily newsletter.",
            "Sign up for the Harbour newsletter", "Subscribe", "Enter your email address",
            "Thanks for signing up!", "Get our best stories delivered to your inbox",
            "Leave a Reply", "Leave a comment", "Cancel reply", "12 Comments", "Post Comment", "Email *",
            "Your email address will not be published. Required fields are marked *",
            "Your email address will not be published.", "Required fields are marked *",
            "Save my name, email, and website in this browser for the next time I comment.",
            "We use cookies to make this site better.", "This website uses cookies.", "Accept all cookies",
            "Share", "Share this article", "Share on Facebook", "Click to share on X (Opens in new window)",
            "Advertisement", "ADVERTISEMENT", "Story continues below advertisement", "Sponsored content",
            "Skip to main content", "Back to top", "Photo credit: Ada Berg / Harbour Post",
            "×", "* * *", "———", "…", "-" * 500,
            TITLE, TITLE.upper(),
        ],
    )  # fmt: skip
    def test_lines_of_the_page_go(self, line):
        result = clean(within(line), title=TITLE)
        assert result.text == f"{FIRST}\n{LAST}"
        assert [entry.line for entry in result.removed] == [line]

    @pytest.mark.parametrize(
        "line",
        [
            "Sign up for the town's newsletter to get flood alerts, the mayor said.",
            "The newsletter has 4,000 subscribers, and our readers like it.",
            "Subscribe to a theory of the town's decline and you will be lonely.",
            "Newsletters",
            "Leave a reply unsent and people worry, a study of 2,000 clerks found.",
            "Comments on the plan are due by Friday.",
            "Related cases are heard in June.",
            "Related: the court also fined the firm.",
            "Read more than you write, she tells her pupils.",
            "Read more-expensive books",
            "Share prices fell by 4 per cent.",
            "Share on the decline",
            "Cookies were sold at the fair for charity.",
            "Advertisements for the ferry hang everywhere.",
            "Skip to the main content of the plan and little is left.",
            "Photo of the year: “The Bridge” by Tom Lund.",
            "“We use cookies to keep pupils awake,” said the teacher.",
            "5 comments were sent in by the fishermen's union.",
            "50%",
            "…and then it rained.",
            f"{TITLE}, says the town",
        ],
    )
    def test_sentences_about_such_things_stay(self, line):
        result = clean(within(line), title=TITLE)
        assert result.text == within(line)
        assert result.removed == ()

    def test_an_article_that_is_no_more_than_its_title_keeps_it(self):
        assert cleaned(f"{TITLE}\n\n×\n{TITLE}") == TITLE

    def test_nothing_but_the_page_leaves_nothing(self):
        assert cleaned("Advertisement\n×\nShare", None) == ""

    def test_the_text_of_a_picture_under_the_headline_goes(self):
        result = clean(f"{TITLE}\n\nHarbour Flag\n\n{FIRST}\nThe town flag\n{LAST}", title=None)
        assert result.text == f"{FIRST}\nThe town flag\n{LAST}"
        assert result.removed == (Removed("text of a picture", "Harbour Flag"),)


class TestBanners:
    BANNER = "We take no money from parties, so even a $5 donation helps us to go on."
    STORY = "\n".join(f"Sentence number {number} of the article." for number in range(30))

    @pytest.mark.parametrize(
        "banner",
        [BANNER, "Please donate to support our work.", "Your support keeps our newsroom alive: chip in."],
    )
    def test_banners_over_and_under_the_article_go(self, banner):
        assert cleaned(f"Keep Sample independent\n{banner}\n{self.STORY}\n{banner}") == self.STORY

    def test_several_banners_go_at_once(self):
        assert cleaned(f"{self.BANNER}\n" * 40 + self.STORY) == self.STORY

    def test_in_the_middle_of_the_article_a_line_stays(self):
        text = f"{self.STORY}\n{self.BANNER}\n{self.STORY}"
        assert cleaned(text) == text

    @pytest.mark.parametrize(
        "line",
        [
            "Keep Sample independent",
            "The food bank got a donation of $5 and asks for your support.",
            "We should talk about donations: our food banks live on them.",
            "“Please donate to us, we need it,” the food bank wrote.",
            "Our reporter found that donations to the food bank fell by half.",
        ],
    )
    def test_an_article_about_donations_keeps_its_sentences(self, line):
        assert cleaned(f"{line}\n{self.STORY}\n{line}") == f"{line}\n{self.STORY}\n{line}"


class TestHeadline:
    @pytest.mark.parametrize("headline", ["Canal bridge shut", "Who pays for the bridge?", "Mayor: “We had no choice”"])
    def test_the_first_line_is_taken_out_as_the_headline(self, headline):
        result = clean(f"×\n{headline}\n\n{FIRST}\n{headline}\n{LAST}", title=None)
        assert (result.title, result.text) == (headline, f"{FIRST}\n{LAST}")

    @pytest.mark.parametrize(
        "first",
        [
            "The bridge is shut.", "The bridge is shut!", "The plan:", "“The bridge is shut.”", "And so on…",
            "- The bridge", "1. The bridge", "word " * 41,
        ],
    )  # fmt: skip
    def test_sentences_list_items_and_long_lines_are_no_headline(self, first):
        result = clean(f"{first}\n{FIRST}", title=None)
        assert (result.title, result.text) == (None, f"{first.strip()}\n{FIRST}")

    def test_the_only_line_is_the_text(self):
        assert clean("Canal bridge shut\n×", title=None).text == "Canal bridge shut"

    def test_no_headline_is_looked_for_when_the_title_is_known(self):
        assert clean(f"Why it closed\n{FIRST}", title=TITLE).title is None

    def test_a_byline_or_date_line_over_it_stays_in_the_text(self):
        result = clean(f"By Ada Berg and Tom Lund\nSample Wire, 12 May 2025\n{TITLE}\n{FIRST}", title=None)
        assert result.title == TITLE
        assert result.text == f"By Ada Berg and Tom Lund\nSample Wire, 12 May 2025\n{FIRST}"

    @pytest.mark.parametrize("line", ["By the river", "By Ada Berg wrote it", "Bygone Days", "By 2030"])
    def test_not_every_by_is_a_byline(self, line):
        assert not is_byline(line)


PIECES = st.sampled_from(
    [
        "-", "•", "*", "–", "1.", "12)", "[1]", "[2, 3]", "[", "]", "[1", ",2]", " ", "  ", "\t",
        "\n", "\n\n", "\r\n",
        "×", "By Ada", "12 May 2025", "Also Read:", "Share", "Advertisement", "Keep Sample independent",
        "Please donate to support our work", "Town Flag", TITLE, FIRST, "word", "a", ".", ":",
        "”", "e\u0301", "\u0301",
        "\u0344" * 20, "\u200b", "\x00", "é",
        "The harbour office closed the canal bridge on Monday morning after the",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=200))


class TestRules:
    @settings(max_examples=300, deadline=None)
    @given(TEXTS, st.none() | st.just(TITLE))
    def test_cleaning_twice_changes_nothing(self, text, title):
        try:
            once = clean(text, title=title)
        except RefusedInput:
            return
        again = clean(once.text, title=title or once.title)
        assert (again.text, again.title, again.removed) == (once.text, None, ())

    @settings(max_examples=300, deadline=None)
    @given(st.text(st.characters(codec=None), max_size=300), st.none() | st.text(max_size=20))
    def test_any_text_is_cleaned_or_refused(self, text, title):
        try:
            result = clean(text, title=title)
        except RefusedInput:
            assert re.search("[\ud800-\udfff]", text)
        else:
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ufeff\xa0]|  |^ | $|\n\n\n", result.text)

    @pytest.mark.parametrize(
        "text",
        [
            "x" * 80_000,
            "[" * 300_000,
            "[1" * 100_000 + "]" * 100_000,
            "a" + "\u0301\u0327" * 150_000,
            "a " * 150_000,
            "ab\n" * 100_000,
            "-\n" * 150_000,
            "* item\n" * 40_000,
            ".”" * 150_000,
            "Please donate to support our work\n" * 10_000,
            ("sign up for our " + "a " * 180 + "\n") * 800,
            ("The harbour office closed the canal bridge on Monday morning after the\n") * 4_000,
        ],
    )
    def test_time_grows_with_the_text_only(self, text):
        started = time.process_time()
        clean(text, title=None)
        assert time.process_time() - started < 3  # a quadratic step would take minutes


@pytest.mark.skipif(not REAL_ARTICLES.is_dir(), reason="the sample articles are not part of the repository")
class TestRealArticles:
    """Scraped pages with the faults of their kind."""

    @cached_property
    def articles(self):
        files = sorted(REAL_ARTICLES.glob("*.txt"))
        return {file.name[:3]: prepare(read_file(file).articles[0]) for file in files}

    def test_nothing_of_the_page_is_left(self):
        assert len(self.articles) == 5
        for article in self.articles.values():
            for line in article.text.split("\n"):
                assert not line.startswith("Also Read")
                assert not re.fullmatch(r"\W+", line)
                assert line != article.title
            for rubbish in ("Leave a Reply", "Newsletters", "donation", "[1]", "×", "\u2011"):
                assert rubbish not in article.text

    def test_list_items_are_marked(self):
        items = [line for line in self.articles["000"].text.split("\n") if line.startswith("- ")]
        assert len(items) == 15

    def test_titles_and_dates_are_those_of_the_pages(self):
        known = {name: (article.title_source, str(article.published_at)) for name, article in self.articles.items()}
        assert known == {
            "000": ("text", "None"),
            "001": ("text", "2025-03-17"),
            "002": ("lead", "None"),
            "003": ("text", "None"),
            "004": ("text", "None"),
        }
        assert self.articles["001"].date_source == "text"
        assert self.articles["003"].title.endswith("2025?")


@pytest.mark.parametrize(
    "mark",
    ["[3]", "[ 3 ]", "[3, 4]", "[1\u200d]", "[1\ufe0e]", "［1］", "【1】", "〔1〕", "⟦1⟧", "[¹]", "[①]", "[^1]", "[#1]", "\\[1\\]",
     "[1.]", "[1a]", "[1 and 2]", "[1/2]", "[1\u034f]", "[\u20611]"],
)  # fmt: skip
def test_what_could_pass_for_a_citation_number_is_taken_out(mark):
    cleaned = clean(f"The festival drew 400 visitors {mark} to the village last summer.", title="A title")
    assert cleaned.text == "The festival drew 400 visitors to the village last summer."


@pytest.mark.parametrize("words", ["He said [sic] so.", "In [2019] it rained.", "The [old] mill."])
def test_other_words_in_brackets_stay(words):
    assert clean(words, title="A title").text == words
