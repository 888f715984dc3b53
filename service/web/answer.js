// An answer as it is shown: its sentences with their marks, what it is worth, its sources, its conflicts.

import { count, h, icon } from "./dom.js";
import { dayText, sourceText, unitIndex } from "./text.js";

const REASONS = {
  no_relevant_passage: "Not in the articles",
  not_stated: "Not stated in the articles",
  premise_contradicted: "Not as the question takes for granted",
};

/**
 * Give the text of an answer, its citation marks as buttons.
 *
 * A mark stands between sentences only: "[3]" inside of one is the article's own, and stays text.
 * @param {object} reply `answer`, `sentences` and `citations`, all of them as far as they have come.
 * @param {(citation: object, from: HTMLElement) => void} open
 */
export function answerText({ answer, sentences, citations }, open) {
  const byNumber = new Map(citations.map((citation) => [citation.number, citation]));
  const nodes = [];
  let said = 0;
  for (const sentence of [...sentences].sort((one, other) => one.start - other.start)) {
    const [start, end] = [unitIndex(answer, sentence.start), unitIndex(answer, sentence.end)];
    if (start < said) continue;
    nodes.push(...withMarks(answer.slice(said, start), byNumber, open));
    const numbers = sentence.citations.join(" ");
    nodes.push(h("span", { class: "sentence", "data-citations": numbers }, answer.slice(start, end)));
    said = end;
  }
  return [...nodes, ...withMarks(answer.slice(said), byNumber, open)];
}

function withMarks(text, byNumber, open) {
  return text.split(/(\[\d+\])/).filter(Boolean).map((piece) => {
    const citation = /^\[\d+\]$/.test(piece) && byNumber.get(Number(piece.slice(1, -1)));
    return citation ? mark(citation, open) : piece;
  });
}

/** Give the button that opens a citation. */
export function mark(citation, open) {
  return h("button", {
    type: "button", class: "mark", "data-number": String(citation.number),
    title: `${sourceText(citation.source)}: ${citation.title}`,
    "aria-label": `[${citation.number}], source: ${citation.title}`,
    onclick: (event) => open(citation, event.currentTarget),
  }, `[${citation.number}]`);
}

/** Give the words that say why there is no answer. */
export const reasonText = (reason) => REASONS[reason] ?? "No answer";

/** Give an answer with what it is worth: an abstention does not look like an answer, half of one says so. */
export function answerBlock(reply, open) {
  const text = h("div", { class: "answer" }, answerText(reply, open));
  if (reply.status === "abstained") {
    const why = h("strong", {}, reasonText(reply.abstain_reason));
    return [h("div", { class: "verdict abstained" }, icon("none"), why, text)];
  }
  const part = reply.status === "partial" && h("div", { class: "verdict partial" }, icon("part"),
    h("strong", {}, "Answered in part"), h("p", {}, "The articles support a part of this question only."));
  return [part, text];
}

/** Give the quiet lines on how an answer came about. */
export function remarks(reply, asked) {
  const lines = [];
  if (reply.question && reply.question.trim() !== asked.trim()) {
    lines.push(h("p", { class: "remark" }, "Searched for: ", h("q", { class: "searched" }, reply.question)));
  }
  if (reply.degraded) {
    const why = "The language model did not answer; these are the articles’ own sentences.";
    lines.push(h("p", { class: "remark" }, why));
  }
  return lines;
}

/** Give the box of conflicts: each value with its day, newest first, and the mark of its citation. */
export function conflictBox({ conflicts, citations }, open) {
  if (!conflicts?.length) return null;
  const byNumber = new Map(citations.map((citation) => [citation.number, citation]));
  return conflicts.map(({ about, positions }) =>
    h("section", { class: "conflict", "aria-label": "The articles disagree" },
      h("h3", {}, icon("split"), "The articles disagree"),
      h("p", { class: "about" }, about),
      h("dl", {}, newestFirst(positions).map((position) => {
        const citation = byNumber.get(position.citation);
        return h("div", {},
          h("dt", {}, position.value),
          h("dd", {}, day(position.published_at), citation && [", ", sourceText(citation.source), " ", mark(citation, open)]));
      }))));
}

function newestFirst(positions) {
  return [...positions].sort((one, other) => (other.published_at ?? "").localeCompare(one.published_at ?? ""));
}

/** Give a day as an element, "date unknown" for none. */
export const day = (date) => (date ? h("time", { datetime: date }, dayText(date)) : h("span", {}, dayText(null)));

/** Give the list of what an answer rests on, or of the passages that came nearest to one. */
export function sourceList({ citations, nearest, status }, open) {
  const near = status === "abstained";
  const shown = (near ? nearest : citations) ?? [];
  if (!shown.length) return null;
  return h("section", { class: near ? "sources near" : "sources" },
    h("h3", {}, near ? "Closest passages" : count(shown.length, "source")),
    h("ol", {}, shown.map((citation) => sourceCard(citation, near, open))));
}

function sourceCard(citation, near, open) {
  const title = citation.title || "Untitled article";
  const also = citation.also_in?.length ?? 0;
  return h("li", { class: "source", "data-number": String(citation.number) },
    h("button", {
      type: "button", class: "source-open",
      "aria-label": near ? `Open the passage in ${title}` : `[${citation.number}] Open the quote in ${title}`,
      onclick: (event) => open(citation, event.currentTarget),
    },
    h("span", { class: "source-number", "aria-hidden": "true" }, near ? icon("passage") : String(citation.number)),
    h("span", { class: "source-title" }, title)),
    h("p", { class: "source-line" }, sourceText(citation.source), " · ", day(citation.published_at),
      also > 0 && ` · also in ${count(also, "other article")}`),
    citation.removed ? h("p", { class: "remark" }, "This article was removed; its words are no longer kept.")
      : h("blockquote", {}, citation.quote.replace(/\n+/g, "\n")));
}

/** Give a sentence on how exact an answer is; null for an abstention. */
export function exactness({ sentences }) {
  if (!sentences.length) return null;
  return sentences.every((sentence) => sentence.support === "verbatim")
    ? "Word for word from the articles." : "Each sentence was checked against its quote.";
}
