// The panel beside an answer: the article that a citation names, with the quoted words marked.

import { articleBody, articleFacts, copiesNote, fetchArticle, placeNote, placeOf, showMark } from "./article.js";
import { day } from "./answer.js";
import { pageAddress } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { Placed } from "./place.js";

let panel = null;
let shown = 0; // only the article that was opened last is shown

/** Make the panel ready. */
export function startReader() {
  panel = new Placed(byId("reader"), byId("reader-sheet"), "(width < 68rem)", {
    onClose: () => {
      shown += 1;
      byId("layout").classList.remove("reading");
      light(null, null);
    },
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel.isOpen && !document.querySelector("dialog:modal")) panel.close();
  });
}

/** Close the panel, if it is open. */
export const closeReader = () => panel.close();

/**
 * Open the article of a citation.
 * @param {object} citation
 * @param {string} generation The one that the answer came from.
 * @param {HTMLElement} from What was pressed: it gets the focus back.
 */
export async function openCitation(citation, generation, from) {
  shown += 1;
  const mine = shown;
  byId("layout").classList.add("reading");
  light(from, citation);
  const heading = h("h2", { id: "reader-title", tabindex: "-1" }, citation.title || "Untitled article");
  const known = h("p", { class: "facts" }, h("span", {}, citation.source), h("span", {}, day(citation.published_at)));
  const facts = h("div", {}, known);
  const body = h("div", {
    class: "reader-body prose", tabindex: "0", role: "region", "aria-label": "Text of the article",
  }, h("p", { class: "remark" }, "Opening the article …"));
  byId("reader").replaceChildren(
    h("header", { class: "reader-head" }, h("div", { class: "reader-name" }, heading, closeButton()), facts), body);
  panel.open(from);
  heading.focus({ preventScroll: true });
  try {
    const { article, held } = await fetchArticle(citation.article_id, generation);
    if (mine !== shown) return;
    const place = placeOf(article.text, citation, held);
    heading.textContent = article.title || "Untitled article";
    const link = pageLink(citation, place, held && generation);
    facts.replaceChildren(articleFacts(article), h("p", { class: "facts" }, link));
    const copies = h("div", {});
    body.replaceChildren(...[placeNote(place), ...articleBody(article.text, place), copies].filter(Boolean));
    showMark(body);
    const note = await copiesNote(citation.also_in);
    if (note) copies.replaceChildren(note);
  } catch (error) {
    if (mine !== shown) return;
    body.replaceChildren(h("p", { class: "note", role: "alert" },
      error.status === 404 || citation.removed ? "This article was removed since." : error.message));
  }
}

function closeButton() {
  return h("button", {
    type: "button", class: "icon-button", "aria-label": "Close the article", onclick: closeReader,
  }, icon("close"));
}

function pageLink({ article_id: id, start, end }, place, generation) {
  const [from, to] = [place.start ?? start, place.end ?? end];
  const query = generation ? `?generation=${encodeURIComponent(generation)}` : "";
  const href = pageAddress(`articles/${encodeURIComponent(id)}${query}#c=${from}-${to}`);
  return h("a", { href, target: "_blank", rel: "noopener" }, "Open as a page", icon("out"));
}

/** Show which mark is open, and which sentences rest on it. */
function light(from, citation) {
  for (const one of document.querySelectorAll(".lit")) one.classList.remove("lit");
  const turn = from?.closest(".turn");
  if (!turn) return;
  const number = String(citation.number);
  for (const one of turn.querySelectorAll(".mark, .source")) one.classList.toggle("lit", one.dataset.number === number);
  for (const one of turn.querySelectorAll(".sentence")) {
    one.classList.toggle("lit", one.dataset.citations.split(" ").includes(number));
  }
}
