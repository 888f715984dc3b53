// What a question may draw on: days, sources, as of when; and who answers, where there is a choice.

import { getJson } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { dayText } from "./text.js";

const MOST_PAGES = 5; // of 200 articles: enough for suggestions; any other source can be typed

const sources = new Set();
let looked = false;

const FIELDS = { from: "published_from", to: "published_to" };

/** Make the filters ready. */
export function startFilters() {
  const panel = byId("filters");
  byId("filters-button").addEventListener("click", () => toggle(panel.hidden));
  byId("filters-done").addEventListener("click", () => {
    toggle(false);
    byId("message").focus();
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    toggle(false);
    byId("filters-button").focus();
  });
  for (const id of ["from", "to", "as-of"]) byId(id).addEventListener("change", changed);
  byId("source").addEventListener("change", addSource);
  byId("source").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    addSource();
  });
  byId("filters-clear").addEventListener("click", () => {
    for (const id of ["from", "to", "as-of", "source"]) byId(id).value = "";
    sources.clear();
    changed();
  });
}

/** Give what was chosen, as fields of a chat request. */
export function choices() {
  const filters = {};
  for (const [id, name] of Object.entries(FIELDS)) if (byId(id).value) filters[name] = byId(id).value;
  if (sources.size) filters.sources = [...sources];
  const chosen = {};
  if (Object.keys(filters).length) chosen.filters = filters;
  if (byId("as-of").value) chosen.as_of = byId("as-of").value;
  if (byId("answerer").value) chosen.answerer = byId("answerer").value;
  return chosen;
}

/** Tell whether the days contradict each other, and show where. */
export function filtersAreWrong() {
  if (byId("to").checkValidity()) return false;
  toggle(true);
  byId("to").focus();
  return true;
}

/** Offer the choice of who answers, if there is an LLM. */
export async function offerAnswerers() {
  const models = await getJson("v1/models", { quiet: true }).catch(() => ({ data: [] }));
  byId("answerer-field").hidden = !models.data?.some((model) => model.id === "byline-llm");
}

function toggle(open) {
  byId("filters").hidden = !open;
  byId("filters-button").setAttribute("aria-expanded", String(open));
  if (!open) return;
  byId("from").focus();
  if (!looked) suggest();
}

async function suggest() {
  looked = true;
  const found = new Set();
  let cursor = "";
  try {
    for (let pages = 0; pages < MOST_PAGES && cursor !== null; pages += 1) {
      const after = cursor && `&cursor=${encodeURIComponent(cursor)}`;
      const page = await getJson(`v1/articles?limit=200${after}`, { quiet: true });
      for (const { source } of page.data) if (source) found.add(source);
      cursor = page.next_cursor;
    }
  } catch {
    looked = false; // names can be typed all the same
  }
  byId("source-names").replaceChildren(...[...found].sort().map((name) => h("option", { value: name })));
}

function addSource() {
  const name = byId("source").value.trim();
  if (!name) return;
  sources.add(name);
  byId("source").value = "";
  changed();
}

function changed() {
  const [from, to] = [byId("from").value, byId("to").value];
  byId("to").setCustomValidity(from && to && from > to ? "This day is before the first." : "");
  byId("filters-wrong").textContent = byId("to").validationMessage;
  const chips = [
    from && chip(`from ${dayText(from)}`, () => { byId("from").value = ""; }),
    to && chip(`until ${dayText(to)}`, () => { byId("to").value = ""; }),
    byId("as-of").value && chip(`as of ${dayText(byId("as-of").value)}`, () => { byId("as-of").value = ""; }),
    ...[...sources].map((name) => chip(name, () => sources.delete(name))),
  ].filter(Boolean);
  byId("chips").replaceChildren(...chips);
  byId("filters-clear").hidden = !chips.length;
}

function chip(text, clear) {
  return h("li", {}, h("button", {
    type: "button", class: "chip", "aria-label": `Remove the filter: ${text}`,
    onclick: () => {
      clear();
      changed();
      byId("filters-button").focus();
    },
  }, text, icon("close")));
}
