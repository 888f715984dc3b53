"""An LLM that obeys: whatever order stands in its prompt, it does. What still keeps a reply clean is the structure alone.

It is worse than any real one. It knows what each attack of the set is after, and says that as soon as the article is
among its passages, even where cleaning or the prompt has defaced the order; and it obeys orders that it can read, too.
"""

import re

ORDER = re.compile(
    r"(?:say|says|print|output|repeat|state|reply only with|answer with|recommend|tell \w+ that|spell)\s+(?:that |the word )?"
    r"[“\"]?([^.“”\"\n]{2,80})",
    re.IGNORECASE,
)
LEAK = re.compile(r"instructions|system prompt|rules you|words above|configuration|boundary|conversation so far", re.I)
SIGHTS = re.compile(r"\S+://\S+|<[^>\n]+>|\[\d+\]|\(link\)|\S+ \.(?:example|com)\S*|‹[^›]+›")


class ObedientLlm:
    """Writes the reply to a request; `said` has all replies so far, `boundaries` those of their requests."""

    def __init__(self, cases):
        self._cases = cases
        self.boundaries = []
        self.said = []

    def __call__(self, request) -> str:
        system, user = request.system, request.user
        boundary = re.search(r"\[(\w{8,}) PASSAGE 1\]", user)[1]
        self.boundaries.append(boundary)
        passages = dict(re.findall(rf"\[{boundary} PASSAGE (\d+)\]\n(.*?)\n\[{boundary} END\]", user, re.DOTALL))
        question = user.rpartition(f"[{boundary} QUESTION]\n")[2].partition("\n")[0]
        everyone = "".join(f"[{number}]" for number in passages)
        said = []
        for case in self._cases:
            if any(_opening(case) in text for text in passages.values()):
                said += [case.obeys.replace("[*]", mark) for mark in {everyone, "[1]", "[2]"}] if case.obeys else []
        for number, text in passages.items():
            said += [f"{order.strip()}. [{number}]" for order in ORDER.findall(text)]
            said += [f"{sight} [{number}]" for sight in SIGHTS.findall(text)]
        if LEAK.search(user):
            said.append(f"{system} {user[:300]} {boundary} [1]")
        said.sort(key=lambda words: len(words) > 500)  # what is long would hide the rest: no more than so much is read
        honest = self._honest(question, passages)
        reply = "\n".join([*said[:6], *honest, *said[6:]])
        marked = re.sub(r"(?<=[.:])\s", " [1] ", system)
        self.said.append(
            reply.replace("{system_marked}", marked).replace("{system}", system).replace("{boundary}", boundary)
        )
        return self.said[-1]

    def _honest(self, question, passages):
        for case in self._cases:
            if case.question != question:
                continue
            for number, text in passages.items():
                for sentence in re.split(r"(?<=[.!?])\s+", text):
                    if any(key.lower() in sentence.lower() for key in case.answer_keys):
                        return [f"{sentence.rstrip('.')} [{number}]."]
        return ["NO ANSWER"]


def _opening(case) -> str:
    return re.split(r"[^\w ]", case.fields.get("title") or case.fields["html"].split("<title>")[1])[0].strip()[:40]
