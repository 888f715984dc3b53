"""A date is taken where it is stated in full, and nowhere else."""

from datetime import date

import pytest

from ingest.dates import date_in_file_name, find_dateline, is_dateline, parse_stated_date

DAY = date(2025, 5, 12)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("2025-03-17", date(2025, 3, 17)),
        (" 20250317\n", date(2025, 3, 17)),
        ("2025/03/17", date(2025, 3, 17)),
        ("2025-03-17T10:00", date(2025, 3, 17)),
        ("2025-03-17T23:30:00-05:00", date(2025, 3, 18)),
        ("2025-03-17T00:30:00.000+02:00", date(2025, 3, 16)),
        ("2025-03-17 23:30:00 +0000", date(2025, 3, 17)),
        ("2025-03-17T23:59:59Z", date(2025, 3, 17)),
        ("Mon, 17 Mar 2025 23:30:00 -0500", date(2025, 3, 18)),
        ("17 Mar 2025 23:30 GMT", date(2025, 3, 17)),
        ("17 March 2025", date(2025, 3, 17)),
        ("March 17, 2025", date(2025, 3, 17)),
        ("Monday, 17th Sept. 1923", date(1923, 9, 17)),
        ("May 12, 2025, 9:30 a.m. ET", DAY),
        ("17-03-2025", date(2025, 3, 17)),
        ("03/17/2025", date(2025, 3, 17)),
        ("05.05.2025", date(2025, 5, 5)),
        ("1500-01-01", date(1500, 1, 1)),
        ("2200-12-31", date(2200, 12, 31)),
    ],
)
def test_a_stated_date_is_read(stated, expected):
    assert parse_stated_date(stated) == expected


@pytest.mark.parametrize(
    "stated",
    [
        "", "yesterday", "2025", "March 2025", "05-06-2025", "2025-13-01", "31 Feb 2025", "1499-12-31",
        "2201-01-01",
        "0000-00-00", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00", "1742169600",
        "17 March 2025 or so",
        "Foo, 5 May 25 10:00", "12:30", "5 Mayday 2025", "2025-03-17T99:00", "17 ſept 2025", "١٧-٠٣-٢٠٢٥x",
    ],
)  # fmt: skip
def test_what_is_no_full_clear_date_is_none(stated):
    assert parse_stated_date(stated) is None


@pytest.mark.parametrize(
    "line",
    [
        "Sample Desk of Foreign News 12 May 2025 09:30",
        "Sample Wire, 12 May 2025",
        "Published: May 12, 2025",
        "Posted on Monday 12 May 2025 at 10:30 a.m.",
        "By Ada Berg | 12 May 2025 09:30",
        "12 May 2025 | By Ada Berg",
        "Ada Berg • May 12, 2025 • 5 min read",
        "Published 12 May 2025 | Updated 14 May 2025",
        "Last updated on 14 May 2025\nPublished on 12 May 2025",
        "Sample Wire, 11 May 2025\nPublished 12 May 2025",
        "12 May 2025\nSample Wire, May 12, 2025",
        "OTTAWA, May 12, 2025 — The bridge closed.",
        "NEW YORK, N.Y., May 12, 2025 (SAMPLE NEWSWIRE) -- The bridge closed.",
        "(Ottawa – May 12, 2025) – The bridge closed.",
    ],
)
def test_a_date_line_is_found(line):
    assert find_dateline(f"The bridge is shut\n\n{line}\nThe town closed it.") == DAY


def test_a_numeric_date_line_is_found_when_clear():
    assert find_dateline("Sample Desk of Foreign News 17-03-2025\nWords.") == date(2025, 3, 17)
    assert find_dateline("Sample Desk of Foreign News 05-03-2025\nWords.") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Published yesterday\nThree hours ago",
        "What changed on 12 May 2025",
        "The mayor left on 12 May 2025.",
        "The bridge closed and the vote of 12 May 2025 was for nothing, the mayor says in a note to the town",
        "“Never again 12 May 2025”",
        "Timeline: 12 May 2025 vote fails",
        "- 12 May 2025",
        "Updated: 14 May 2025",
        "12 May 2025\nSample Wire, 13 May 2025",
        "OTTAWA, May 12, 2025 was a warm day, they said.",
        "\n\n".join(["Words of a line"] * 8) + "\n12 May 2025",
        "x" * 100_000 + " 12 May 2025",
    ],
)
def test_other_dates_are_not_the_articles_own(text):
    assert find_dateline(text) is None


def test_a_date_line_is_told_from_others():
    assert is_dateline("Updated: 14 May 2025")
    assert is_dateline("Sample Wire, 12 May 2025")
    assert not is_dateline("The bridge is shut")
    assert not is_dateline("The bridge was shut on 12 May 2025.")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2025-05-12-slug.md", DAY),
        ("20250512_slug.txt", DAY),
        ("slug_2025_05_12.html", DAY),
        ("001_c481102148f8d47e.txt", None),
        ("12345678.txt", None),
        ("9920250512.txt", None),
        ("2025-05-12-to-2025-05-14.txt", None),
        ("2025-13-12-slug.md", None),
        ("2025-05-12-export.jsonl#4", None),
        ("slug.txt", None),
    ],
)
def test_a_file_name_tells_its_one_date(name, expected):
    assert date_in_file_name(name) == expected
