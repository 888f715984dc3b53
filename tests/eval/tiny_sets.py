"""A few articles and questions, as a question set and as a BEIR folder."""

import json

ARTICLES = {
    "ferry": "# Ferry to Hallin stops\n\nThe ferry to Hallin stopped on Monday.\n\nIts owner, Brede Lines, has no money left.\n",
    "library": "# Library of Tamsel closes\n\nThe library of Tamsel closes for repairs until September.\n\nWater came through the roof in January.\n",
    "telescope": "# Telescope for Mount Kerro\n\nThe observatory on Mount Kerro received a telescope of 2 metres.\n",
    "mill": "# The mill of Oderau\n\n"
    + " ".join(f"In 19{n} the mill of Oderau ground {3 * n} tons of rye." for n in range(10, 40))
    + "\n",
}
WIRE = [
    {"id": "toll-old", "title": "Toll", "text": "The toll at Wexcombe is 5 crowns.", "published": "2026-03-01"},
    {"id": "toll-new", "title": "Toll", "text": "The toll at Wexcombe is 7 crowns now.", "published": "2026-05-01"},
]


def row(name, question, kind, keys=(), *gold, unanswerable=None, **more):
    """A question; gold is given as (article, quote)."""
    return {
        "id": name,
        "question": question,
        "type": kind,
        "answer": keys[0] if keys else None,
        "answer_keys": [[key] for key in keys],
        "gold": [{"article": article, "quote": quote} for article, quote in gold],
        "unanswerable": unanswerable,
    } | more


EARLIER = [
    {"role": "user", "content": "Until when is the library of Tamsel closed?"},
    {"role": "assistant", "content": "Until September."},
]
# By their ids, a001 and b001 are of the tuning half.
QUESTIONS = [
    row("a001", "When did the ferry to Hallin stop?", "time", ["Monday"], ("ferry.md", "stopped on Monday")),
    row("a002", "Until when is the library of Tamsel closed?", "time", ["September"], ("library.md", "until September")),
    row("a003", "Who painted the ceiling of the opera in Vienna?", "unanswerable", unanswerable="off_topic"),
    row("b001", "How do I bake sourdough bread?", "unanswerable", unanswerable="off_topic"),
    row(
        "c001",
        "And where did it get wet?",
        "follow_up",
        ["roof"],
        ("library.md", "Water came through the roof"),
        history=EARLIER,
    ),
    row(
        "c002",
        "How much is the toll at Wexcombe?",
        "number",
        ["5 crowns"],
        ("wire.jsonl#toll-old", "The toll at Wexcombe is 5 crowns."),
        as_of="2026-04-01",
    ),
]  # fmt: skip


def lines(rows):
    return "".join(json.dumps(one) + "\n" for one in rows)


def write_question_set(folder):
    (folder / "articles").mkdir()
    for name, text in ARTICLES.items():
        (folder / "articles" / f"{name}.md").write_text(text)
    (folder / "articles" / "wire.jsonl").write_text(lines(WIRE))
    (folder / "questions.jsonl").write_text(lines(QUESTIONS))
    return folder


def write_beir(folder):
    """One of its judged queries has no relevant article."""
    corpus = [{"_id": name, "title": "", "text": text.lstrip("# ")} for name, text in ARTICLES.items()]
    (folder / "corpus.jsonl").write_text(lines(corpus))
    queries = {"q1": "ferry to Hallin", "q2": "roof of the Tamsel library", "q3": "sourdough"}
    (folder / "queries.jsonl").write_text(lines({"_id": name, "text": text} for name, text in queries.items()))
    (folder / "qrels").mkdir()
    judged = "query-id\tcorpus-id\tscore\nq1\tferry\t1\nq2\tlibrary\t1\nq3\tmill\t0\n"
    (folder / "qrels" / "test.tsv").write_text(judged)
    return folder
