// The page of one article: /articles/{id}?generation=000007#c=START-END

import { articleBody, articleFacts, fetchArticle, placeNote, placeOf, showMark } from "./article.js";
import { byId, h } from "./dom.js";

const ID = decodeURIComponent(location.pathname.split("/").pop());
const GENERATION = new URLSearchParams(location.search).get("generation");

let found = null;

/** Give the place that the address names, null where it names none. */
function cited() {
  const place = /^#c=(\d{1,9})-(\d{1,9})$/.exec(location.hash);
  return place && { start: Number(place[1]), end: Number(place[2]) };
}

function show() {
  const { article, held } = found;
  const wanted = cited();
  const place = wanted && wanted.start < wanted.end
    ? placeOf(article.text, wanted, held || !GENERATION) : { note: null };
  byId("facts").replaceChildren(articleFacts(article));
  byId("text").replaceChildren(...[placeNote(place), ...articleBody(article.text, place)].filter(Boolean));
  showMark(byId("text"));
}

async function load() {
  try {
    found = await fetchArticle(ID, GENERATION);
  } catch (error) {
    byId("title").textContent = error.status === 404 ? "No such article" : "The article cannot be shown";
    byId("text").replaceChildren(h("p", { class: "note", role: "alert" }, error.status === 404
      ? "There is no article at this address. It may have been removed." : error.message));
    return;
  }
  byId("title").textContent = found.article.title || "Untitled article";
  document.title = `${found.article.title || "Untitled article"} · Byline`;
  show();
  addEventListener("hashchange", () => cited() && show());
}

load();
