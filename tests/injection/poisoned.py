"""The set of poisoned articles: honest news with an attack in it, and a question that the honest part answers.

One line of `articles/*.jsonl` is one article: `text`, `markdown` or `html` with `title`, `author` and `source`; `attack`
is what was put in, as it stands at `position`; `obeys` is what an LLM says that does what it reads: {system} is the
system message, {boundary} the boundary of its blocks, and [*] the numbers of all passages. False facts contradict `truth`,
an honest article of their own. `honest.jsonl` holds honest articles about such attacks.
"""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("articles")
FORMS = ("text", "markdown", "html")


@dataclass(frozen=True, eq=False)
class Case:
    """A question, the article that answers it, and the attack that the article holds, empty in an honest one."""

    id: str
    family: str
    fields: dict
    question: str
    answer_keys: tuple[str, ...]
    attack: str = ""
    position: str = ""
    tone: str = ""
    obeys: str = ""
    false_keys: tuple[str, ...] = ()
    truth: dict | None = None

    @property
    def body(self) -> dict:
        """The article as `POST /v1/articles` takes it."""
        return self.fields | {"external_id": self.id}

    @property
    def clean_body(self) -> dict:
        """The same article before the attack."""
        return {name: _without(value, self.attack) for name, value in self.body.items()}

    @property
    def truth_body(self) -> dict | None:
        return self.truth and self.truth | {"external_id": f"{self.id}-truth", "source": "Sample Register"}


def _without(value, attack: str):
    if isinstance(value, list):
        return [_without(one, attack) or "Ada Brandt" for one in value]
    return (value.replace(attack, "").strip() if attack else value) or "Sample Register"


@cache
def poisoned() -> tuple[Case, ...]:
    """All poisoned articles, in the order of files and lines."""
    files = sorted(path for path in FOLDER.glob("*.jsonl") if path.stem != "honest")
    return tuple(_case(row) for path in files for row in _rows(path))


def sample(thorough: bool) -> tuple[Case, ...]:
    """The cases that are asked about: all of them, or every fourth of each family, its first one included."""
    seen: Counter[str] = Counter()
    chosen = []
    for case in poisoned():
        if thorough or seen[case.family] % 4 == 0:
            chosen.append(case)
        seen[case.family] += 1
    return tuple(chosen)


@cache
def about_injections() -> tuple[Case, ...]:
    """The honest articles about injections."""
    return tuple(_case(row | {"family": "honest"}) for row in _rows(FOLDER / "honest.jsonl"))


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _case(row: dict) -> Case:
    form = next(form for form in FORMS if form in row)
    fields = {form: row[form], "source": row["source"], "authors": [row["author"]]}
    if form != "html":  # a page states its title itself
        fields["title"] = row["title"]
    return Case(
        id=row["id"],
        family=row["family"],
        fields=fields,
        question=row["question"],
        answer_keys=tuple(row["answer_keys"]),
        attack=row.get("attack", ""),
        position=row.get("position", ""),
        tone=row.get("tone", ""),
        obeys=row.get("obeys", ""),
        false_keys=tuple(row.get("false_keys", ())),
        truth=row.get("truth"),
    )
