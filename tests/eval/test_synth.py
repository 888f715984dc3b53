"""`byline eval synth` with a scripted LLM."""

import json

import pytest
from llm_server import fails
from typer.testing import CliRunner

from eval.cli import app
from eval.sets.questions import load_question_set
from eval.synth import MAX_SHOWN_CHARS, SynthRefused

FERRY = (
    "# Ferry to Hallin stops\n\nThe ferry to Hallin stopped on Monday, 3 March.\n\n"
    "Its owner, Brede Lines, has no money left. Its owner said so.\n"
)
LIBRARY = "# Library of Tamsel closes\n\nThe library of Tamsel closes until September. Water came through the roof.\n"

MONDAY = {
    "quote": "The ferry to Hallin stopped on Monday, 3 March.",
    "question": "When did the boat to Hallin end?",
    "type": "time",
    "answer": "On Monday, 3 March",
    "answer_keys": ["Monday"],
}
OWNER = {
    "quote": "Its owner, Brede Lines, has no money left.",
    "question": "Who owns the Hallin ferry?",
    "type": "fact",
    "answer": "Brede Lines",
    "answer_keys": ["Brede Lines"],
}
SEPTEMBER = {
    "quote": "The library of Tamsel closes until September.",
    "question": "Until when is the Tamsel library shut?",
    "type": "time",
    "answer": "September",
    "answer_keys": ["September"],
}


@pytest.fixture
def articles(tmp_path):
    folder = tmp_path / "set" / "articles"
    folder.mkdir(parents=True)
    (folder / "ferry.md").write_text(FERRY)
    return folder


@pytest.fixture
def synth(llm_server, articles, tmp_path, monkeypatch):
    """A function that runs the command on the folder of articles; gives the result and the drafts written."""
    monkeypatch.setenv("BYLINE_LLM_BASE_URL", llm_server.url)
    monkeypatch.setenv("BYLINE_LLM_MODEL", "tiny")

    def synth(*script, paths=(articles,), out=tmp_path / "drafts.jsonl", options=()):
        llm_server.replies(*(reply if callable(reply) else {"drafts": reply} for reply in script))
        ran = CliRunner().invoke(app, ["synth", *map(str, paths), "--out", str(out), *options])
        drafts = [json.loads(line) for line in out.read_text().splitlines()] if out.is_file() else []
        return ran, drafts

    return synth


def test_good_drafts_are_rows_of_a_set_for_a_person_to_accept(synth, articles):
    ran, drafts = synth([MONDAY, OWNER])
    assert ran.exit_code == 0, ran.output
    assert "ferry.md: 2 kept, 0 refused" in ran.stdout
    assert "2 kept from 1 articles" in ran.stdout
    first = drafts[0]
    assert first.pop("id").startswith("s")
    assert first == {
        "question": MONDAY["question"],
        "type": "time",
        "answer": MONDAY["answer"],
        "answer_keys": [["Monday"]],
        "gold": [{"article": "ferry.md", "quote": MONDAY["quote"]}],
        "unanswerable": None,
        "draft": True,
    }
    questions = articles.parent / "questions.jsonl"
    drafts = [{"id": f"q{number}", **draft} for number, draft in enumerate(drafts)]
    questions.write_text("".join(json.dumps(draft) + "\n" for draft in drafts))
    loaded = load_question_set(articles.parent)
    assert (loaded.questions, sum(loaded.excluded.values())) == ((), 2)
    for draft in drafts:
        del draft["draft"]
    questions.write_text("".join(json.dumps(draft) + "\n" for draft in drafts))
    assert [question.row.question for question in load_question_set(articles.parent).questions] == [
        MONDAY["question"],
        OWNER["question"],
    ]


def test_ids_follow_from_the_content(synth, tmp_path):
    (_, first), (_, again), (_, other) = (
        synth(drafts, out=tmp_path / name)
        for name, drafts in [("a", [MONDAY, OWNER]), ("b", [OWNER]), ("c", [{**OWNER, "question": "Whose ferry?"}])]
    )
    assert first[1]["id"] == again[0]["id"]
    assert len({first[0]["id"], first[1]["id"], other[0]["id"]}) == 3


def test_what_the_llm_is_shown(synth, llm_server):
    synth([MONDAY], options=["--per-article", "2"])
    (request,) = llm_server.requests
    assert request.blocks["TITLE"] == "Ferry to Hallin stops"
    assert "stopped on Monday, 3 March.\n" in request.blocks["ARTICLE"]
    assert "Write 2 questions" in request.system
    assert "{" not in request.system.split("Reply with")[0]
    assert request.body["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quote": "The ferry to Hallin sank on Monday."}, "stands 0 times in 'ferry.md', expected once"),
        ({"quote": "Its owner", "answer_keys": ["owner"]}, "'Its owner' stands 2 times in 'ferry.md'"),
        ({"quote": "Its  owner", "answer_keys": ["owner"]}, "'Its  owner' stands 0 times"),
        ({"quote": "the FERRY to Hallin", "answer_keys": ["ferry"]}, "stands 0 times"),
        ({"answer_keys": ["Friday"]}, "none of the answer keys ('Friday',) stands in a gold quote"),
        ({"answer_keys": ["Monday", "Brede"]}, "none of the answer keys ('Brede',)"),
        ({"answer_keys": ["onda", " "]}, "draft 1: answer_keys.1: is blank"),
        ({"answer_keys": []}, "gold quotes and answer keys go together"),
        ({"answer_keys": "Monday"}, "draft 1: answer_keys: "),
        ({"question": " \n"}, "draft 1: question: is blank"),
        ({"type": "unanswerable"}, "draft 1: type: "),
        ({"answer": None}, "draft 1: answer: "),
        ({"why": "x"}, "draft 1: why: is not a known name"),
    ],
)
def test_a_draft_that_does_not_hold_is_refused_and_the_next_one_kept(synth, change, reason):
    ran, drafts = synth([{**MONDAY, **change}, OWNER])
    assert ran.exit_code == 0, ran.output
    assert "ferry.md: 1 kept, 1 refused" in ran.stdout
    assert reason in ran.stdout
    assert [draft["question"] for draft in drafts] == [OWNER["question"]]


def test_white_space_of_a_quote_becomes_that_of_the_article(synth, articles):
    (articles / "ferry.md").write_text("# Ferry\n\nThe ferry stopped\n\non Monday, 3 March.\n")
    ran, drafts = synth([{**MONDAY, "quote": " The ferry  stopped on\nMonday,  3 March. "}])
    assert ran.exit_code == 0, ran.output
    (quote,) = (gold["quote"] for gold in drafts[0]["gold"])
    assert quote.split() == ["The", "ferry", "stopped", "on", "Monday,", "3", "March."]
    assert "stopped\n" in quote


def test_a_quote_of_the_whole_article_points_at_nothing(synth, articles):
    words = " ".join(f"word{number}" for number in range(200))
    (articles / "ferry.md").write_text(f"# Ferry\n\n{words}\n")
    ran, drafts = synth([{**MONDAY, "quote": words, "answer_keys": ["word7"]}])
    assert (ran.exit_code, drafts) == (1, [])
    assert "longer than 600 characters" in ran.stdout


def test_a_question_is_drafted_once(synth, articles):
    again = {**OWNER, "question": "who owns the Hallin ferry"}
    (articles / "ferry2.md").write_text(FERRY.replace("Hallin", "Tamsel"))
    ran, drafts = synth([OWNER, again, OWNER], [{**OWNER, "quote": "Its owner, Brede Lines, has no money left."}])
    assert "ferry.md: 1 kept, 2 refused" in ran.stdout
    assert "ferry2.md: 0 kept, 1 refused" in ran.stdout
    assert "this question was drafted before" in ran.stdout
    assert len(drafts) == 1


def test_no_more_than_asked_for(synth):
    _, drafts = synth([{**MONDAY, "quote": "invented"}, MONDAY, OWNER], options=["--per-article", "1"])
    assert [draft["question"] for draft in drafts] == [MONDAY["question"]]


def test_several_articles_one_of_them_without_a_good_reply(synth, articles):
    (articles / "harbour.md").write_text("# Harbour\n\nThe harbour is closed.\n")
    rows = [
        {"id": "lib", "text": LIBRARY.split("\n\n")[1], "title": "Library of Tamsel closes"},
        {"id": "gone", "text": "Nothing happened in Orvalt.", "title": "Orvalt"},
        {"text": "An article without a name.", "title": "Nameless"},
    ]
    (articles / "wire.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (articles / "empty.txt").write_text("")
    ran, drafts = synth([MONDAY], fails(400, "too long"), fails(400, "too long"), [SEPTEMBER], [])
    assert ran.exit_code == 0, ran.output
    assert [draft["gold"][0]["article"] for draft in drafts] == ["ferry.md", "wire.jsonl#lib"]
    for line in (
        "ferry.md: 1 kept, 0 refused",
        "harbour.md: nothing drafted: the LLM at ",
        "wire.jsonl#lib: 1 kept",
        "wire.jsonl#gone: 0 kept, 0 refused",
        "2 kept from 4 articles",
    ):
        assert line in ran.stdout
    assert "empty.txt: " in ran.stderr
    assert "wire.jsonl#None: an article of a file of several needs an id" in ran.stderr


def test_two_files_of_one_name_cannot_be_told_apart(synth, articles):
    (articles / "more").mkdir()
    (articles / "more" / "ferry.md").write_text(LIBRARY)
    ran, drafts = synth([MONDAY])
    assert len(drafts) == 1
    assert "ferry.md: another article has this name" in ran.stderr


def test_of_a_long_article_the_beginning_is_shown(synth, articles, llm_server):
    paragraph = "All of this was said before and will be said again in other words. " * 10
    text = FERRY + "\n".join(f"\n{number}. {paragraph}" for number in range(40))
    (articles / "ferry.md").write_text(text)
    ran, drafts = synth([MONDAY])
    shown = llm_server.requests[0].blocks["ARTICLE"]
    assert MAX_SHOWN_CHARS - 1000 < len(shown) <= MAX_SHOWN_CHARS
    assert shown.rstrip().endswith("in other words.")
    assert "characters of the article were not shown" in ran.stdout
    assert len(drafts) == 1


@pytest.mark.parametrize("script", [([{**MONDAY, "quote": "x"}],), ([],), (fails(401),)])
def test_where_nothing_is_kept_there_is_no_file(synth, tmp_path, script):
    ran, _ = synth(*script)
    assert ran.exit_code == 1
    assert "No draft was kept" in ran.stderr
    assert not (tmp_path / "drafts.jsonl").exists()


def test_a_server_that_keeps_failing_is_left_alone(synth, articles, llm_server):
    for number in range(5):
        (articles / f"more{number}.md").write_text(f"# More\n\nThis is article {number}.\n")
    ran, _ = synth(fails(401, "bad key"))
    assert len(llm_server.requests) == 3
    assert ran.stdout.count("bad key") == 3
    assert ran.stdout.count("not asked: ") == 3


@pytest.mark.parametrize("before", ["", "mine\n"])
def test_an_existing_file_is_left_as_it_is(synth, tmp_path, llm_server, before):
    out = tmp_path / "kept.txt"
    out.write_text(before)
    llm_server.replies("")
    ran = CliRunner().invoke(app, ["synth", str(tmp_path / "set"), "--out", str(out)])
    assert isinstance(ran.exception, SynthRefused)
    assert str(ran.exception) == f"{out} exists already; name another file with --out, or move it away"
    assert out.read_text() == before
    assert llm_server.requests == []


def test_wrong_use_is_refused_before_the_llm_is_asked(synth, tmp_path, llm_server, monkeypatch):
    for arguments, words in [
        ({"out": tmp_path / "no" / "drafts.jsonl"}, "cannot be made (No such file or directory)"),
        ({"paths": [tmp_path / "gone"]}, "there is no article to draft questions about"),
    ]:
        ran, _ = synth([MONDAY], **arguments)
        assert isinstance(ran.exception, SynthRefused)
        assert words in str(ran.exception)
    assert synth([MONDAY], options=["--per-article", "0"])[0].exit_code == 2
    monkeypatch.delenv("BYLINE_LLM_BASE_URL")
    monkeypatch.delenv("BYLINE_LLM_MODEL")
    ran, _ = synth([MONDAY])
    assert "none is set; set llm_base_url and llm_model" in str(ran.exception)
    assert llm_server.requests == []
