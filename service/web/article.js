// An article with a quote marked in it: for the panel beside an answer and for the page of an article.

import { Problem, getJson } from "./api.js";
import { day } from "./answer.js";
import { h, icon, outwardLink } from "./dom.js";
import { length, paragraphs, slice, sourceText, unitIndex } from "./text.js";

const DATED_BY = { text: "as its text says", file: "by its file’s name" };

const addressOf = (id) => `v1/articles/${encodeURIComponent(id)}`;

/**
 * Fetch an article as a generation holds it, else as the library does.
 * @returns {Promise<{article: object, held: boolean}>} `held`: it is the generation's
 * @throws {Problem}
 */
export async function fetchArticle(id, generation) {
  if (generation) {
    try {
      return { article: await getJson(`${addressOf(id)}?generation=${encodeURIComponent(generation)}`), held: true };
    } catch (error) {
      // Another generation may be served since, or none.
      if (!(error instanceof Problem) || ![404, 422, 503].includes(error.status)) throw error;
    }
  }
  return { article: await getJson(addressOf(id)), held: false };
}

const SHORTER = "The article was changed since: it is shorter now than the place that was cited.";
const OF_TODAY = "This is the article as it is now; it may have been changed since it was cited.";
const GONE = "The article was changed since this answer: the quoted words no longer stand in it.";
const MOVED = "The article was changed since this answer; the quoted words stand here now.";

/**
 * Say where in an article a quote stands, in code points, and what a reader must know about that.
 * @param {string} text
 * @param {object} cited `start`, `end`, and `quote` where the words are known.
 * @param {boolean} held Whether the text is that of the generation that was cited.
 */
export function placeOf(text, { start, end, quote }, held) {
  if (quote === undefined) {
    return end > length(text) ? { note: SHORTER } : { start, end, note: held ? null : OF_TODAY };
  }
  if (slice(text, start, end) === quote) return { start, end, note: null };
  const at = quote ? text.indexOf(quote) : -1;
  if (at < 0) return { note: GONE, quote };
  const moved = length(text.slice(0, at));
  return { start: moved, end: moved + length(quote), note: MOVED };
}

/** Give the lines of an article's head below its title: source, date, authors, its own address. */
export function articleFacts(article) {
  const dated = article.published_at && DATED_BY[article.date_source];
  return h("p", { class: "facts" },
    h("span", {}, sourceText(article.source)),
    h("span", {}, day(article.published_at), dated && ` (${dated})`),
    article.authors?.length > 0 && h("span", {}, article.authors.join(", ")),
    article.url && outwardLink(article.url, "Original article", icon("out")));
}

/** Give the note on a quote that does not stand where it was cited; null where it does. */
export function placeNote({ note, quote }) {
  return note && h("div", { class: "note" }, h("p", {}, note), quote && h("blockquote", {}, quote));
}

/** Give the paragraphs of an article; what `place` names is marked, the first mark with the id `quote`. */
export function articleBody(text, place) {
  const from = place.start === undefined ? 0 : unitIndex(text, place.start);
  const to = place.start === undefined ? 0 : unitIndex(text, place.end);
  let marks = 0;
  return paragraphs(text).map(({ start, end }) => {
    const [first, last] = [Math.max(start, from), Math.min(end, to)];
    if (first >= last) return h("p", {}, text.slice(start, end));
    marks += 1;
    return h("p", {}, text.slice(start, first),
      h("mark", { id: marks === 1 && "quote" }, text.slice(first, last)), text.slice(last, end));
  });
}

/** Bring the marked words into view. */
export function showMark(within) {
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  within.querySelector("mark")?.scrollIntoView({ block: "center", behavior });
}

/** Give the names of other articles that hold the same words; null where there are none. */
export async function copiesNote(ids) {
  if (!ids?.length) return null;
  const found = await Promise.allSettled(ids.slice(0, 10).map((id) => getJson(addressOf(id), { quiet: true })));
  const named = found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const unnamed = ids.length - named.length;
  return h("div", { class: "also" },
    h("h3", {}, "The same words stand in"),
    h("ul", {},
      named.map(({ title, source, published_at: date }) =>
        h("li", {}, title || "Untitled article", " · ", sourceText(source), " · ", day(date))),
      unnamed > 0 && h("li", {}, `${unnamed} more`)));
}
