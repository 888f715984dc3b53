import json

import pytest

from eval.sets.beir import is_beir, load_beir, load_with_unanswerable
from eval.sets.lines import DatasetError

CORPUS = [
    {"_id": "d1", "title": "Ferry", "text": "The ferry to Hallin stopped.", "metadata": {}},
    {"_id": "d2", "title": "", "text": "The harbour is closed."},
]
QUERIES = [{"_id": "q1", "text": "ferry"}, {"_id": "q2", "text": "harbour"}, {"_id": "q3", "text": "train"}]
HEADER = "query-id\tcorpus-id\tscore"
QRELS = [HEADER, "q2\td2\t2", "q1\td1\t1", "q1\td2\t0", "q3\td1\t0"]


@pytest.fixture
def write_beir(tmp_path):
    """A function that writes a BEIR folder, parts of it replaced, and gives the folder."""

    def write(*, corpus=CORPUS, queries=QUERIES, qrels=QRELS, split="test"):
        for name, rows in (("corpus", corpus), ("queries", queries)):
            lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
            (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        (tmp_path / "qrels").mkdir(exist_ok=True)
        (tmp_path / "qrels" / f"{split}.tsv").write_text("\n".join(qrels) + "\n")
        return tmp_path

    return write


def refused(folder) -> str:
    with pytest.raises(DatasetError) as caught:
        load_beir(folder)
    return str(caught.value).removeprefix(str(folder)).lstrip("/: ")


def test_ids_titles_queries_and_judgments(write_beir, tmp_path):
    assert not is_beir(tmp_path)
    loaded = load_beir(write_beir())
    assert is_beir(tmp_path)
    assert loaded.name == tmp_path.name
    assert [(a.external_id, a.title_source) for a in loaded.articles] == [("d1", "meta"), ("d2", "lead")]
    assert loaded.articles[0].text == "The ferry to Hallin stopped."
    assert loaded.queries == {"q1": "ferry", "q2": "harbour"}
    assert loaded.qrels == {"q1": {"d1": 1, "d2": 0}, "q2": {"d2": 2}}
    assert loaded.excluded == 1


def test_of_several_splits_test_counts(write_beir, tmp_path):
    write_beir(qrels=[HEADER, "q3\td1\t1"], split="train")
    assert list(load_beir(tmp_path).queries) == ["q3"]
    write_beir()
    assert list(load_beir(tmp_path).queries) == ["q1", "q2"]
    (tmp_path / "qrels" / "test.tsv").rename(tmp_path / "qrels" / "dev.tsv")
    assert refused(tmp_path) == "qrels has 2 files of judgments; expected test.tsv, or exactly one"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"corpus": [*CORPUS, "{"]}, "corpus.jsonl line 3: Invalid JSON"),
        ({"corpus": [{"_id": 1, "text": "x"}]}, "corpus.jsonl line 1: _id: must be a text"),
        ({"corpus": [{"_id": "d1", "title": "x"}]}, "corpus.jsonl line 1: text: is missing"),
        ({"corpus": [CORPUS[0], CORPUS[0]]}, "corpus.jsonl line 2: the article 'd1' occurs twice"),
        ({"corpus": [{"_id": "d1", "text": " "}]}, "corpus.jsonl line 1: article 'd1': no text is left"),
        ({"corpus": [{"_id": "d 1 ", "text": "x"}]}, "corpus.jsonl line 1: the id 'd 1 ' has white space"),
        ({"queries": [*QUERIES, QUERIES[1]]}, "queries.jsonl line 4: the query 'q2' occurs twice"),
        ({"queries": [{"_id": "q1", "text": ""}]}, "queries.jsonl line 1: text: "),
        ({"qrels": QRELS[1:]}, "qrels/test.tsv line 1: expected the header"),
        ({"qrels": [HEADER]}, "qrels/test.tsv holds no judgments"),
        ({"qrels": [*QRELS, "q1 d1 1"]}, "qrels/test.tsv line 6: 'q1 d1 1' is not a query"),
        ({"qrels": [HEADER, "q1\td1\thigh"]}, "qrels/test.tsv line 2: 'q1\\td1\\thigh' is not a query"),
        ({"qrels": [HEADER, "q9\td1\t1"]}, "qrels/test.tsv line 2: there is no query 'q9'"),
        ({"qrels": [HEADER, "q1\td9\t1"]}, "qrels/test.tsv line 2: there is no article 'd9'"),
        ({"qrels": [HEADER, "q3\td1\t0"]}, "no query has a relevant article"),
        ({"qrels": [*QRELS, "q1\td1\t0"]}, "qrels/test.tsv line 6: query 'q1' judges article 'd1' twice"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(write_beir, parts, message):
    assert refused(write_beir(**parts)).startswith(message)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_a_missing_file_is_named(write_beir, name):
    folder = write_beir()
    (folder / name).unlink()
    assert refused(folder) == f"{name} cannot be read: No such file or directory"


def test_a_line_separator_within_a_text_ends_no_line(write_beir):
    corpus = [json.dumps({"_id": "d1", "text": "One.\u2028Two."}, ensure_ascii=False), CORPUS[1]]
    assert len(load_beir(write_beir(corpus=corpus)).articles) == 2


@pytest.mark.parametrize("name", ["test.qrels", "judged.txt"])
def test_judgments_may_have_the_form_of_trec(write_beir, name):
    folder = write_beir()
    (folder / "qrels" / "test.tsv").unlink()
    (folder / "qrels" / name).write_text("q2 0 d2 2\nq1 0 d1 1\nq1 0 d2 0\nq3 0 d1 0\n")
    loaded = load_beir(folder)
    assert loaded.qrels == {"q1": {"d1": 1, "d2": 0}, "q2": {"d2": 2}}
    assert loaded.excluded == 1
    (folder / "qrels" / name).write_text("q1 0 d9 1\n")
    assert refused(folder) == f"qrels/{name} line 1: there is no article 'd9'"
    (folder / "qrels" / name).write_text("q1 d1 1\n")
    assert refused(folder).startswith(f"qrels/{name} line 1: 'q1 d1 1' is not 'query 0 document grade'")


def write_unanswerable(folder, *rows):
    file = folder / "unanswerable.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_with_unanswerable_queries_it_is_a_question_set(write_beir):
    """The gold of a query is each relevant article, whole; its keys are those of its answers that stand there."""
    answers = ["the harbour", "Nowhere", "closed"]
    folder = write_beir(queries=[QUERIES[0], QUERIES[1] | {"answers": answers}, QUERIES[2]])
    opened = load_with_unanswerable(write_unanswerable(folder, {"_id": "n1", "text": "Who baked it?"}))
    assert opened.name == f"{folder.name}-unanswerable"
    by_id = {question.row.id: question for question in opened.questions}
    assert set(by_id) == {"q1", "q2", "n1"}
    texts = {article.id: article.text for article in opened.articles}
    (gold,) = by_id["q2"].gold
    assert gold.span.of(texts[gold.article_id]) == texts[gold.article_id] == "The harbour is closed."
    assert (by_id["q2"].row.answer, by_id["q2"].row.answer_keys) == ("the harbour", (("the harbour", "closed"),))
    assert (by_id["q1"].row.type, by_id["q1"].row.answer, by_id["q1"].row.answer_keys) == ("unsorted", None, ())
    assert (by_id["n1"].row.unanswerable, by_id["n1"].gold) == ("off_topic", ())
    assert opened.excluded == {"queries without a relevant article": 1}


def test_a_query_cannot_be_answerable_and_not(write_beir):
    file = write_unanswerable(write_beir(), {"_id": "q1", "text": "ferry"})
    with pytest.raises(DatasetError, match=r"unanswerable\.jsonl: the query 'q1' is in queries\.jsonl, too"):
        load_with_unanswerable(file)
