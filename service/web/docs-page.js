// The description of the API at /docs: draws /openapi.json.

import { getJson, wantsKey } from "./api.js";
import { byId, count, h } from "./dom.js";
import { askForKey, currentKey, forgetKey } from "./key.js";
import { methodMark, operationView, operationsOf, pathText } from "./operation.js";
import { Schemas, prose } from "./schema.js";

const WIDE = matchMedia("(width >= 60rem)");

let schemas = null;
let operations = [];

/** Draw everything. */
function draw(keyed) {
  const tags = [...new Set(operations.map((one) => one.tag))];
  const ofTag = (tag) => operations.filter((one) => one.tag === tag);
  byId("names").replaceChildren(...tags.map((tag) => h("section", { class: "group" },
    h("h2", {}, tag),
    h("ul", {}, ofTag(tag).map(({ id, method, path }) => h("li", { "data-of": id },
      h("a", { href: `#${id}` }, methodMark(method), " ", h("span", { class: "path" }, pathText(path)))))))));
  byId("operations").replaceChildren(...tags.map((tag) => h("section", { class: "group" },
    h("h2", {}, tag), ofTag(tag).map((one) => operationView(schemas, one, keyed)))));
  filter();
}

/** Give all words by which an operation is found. */
function wordsOf(operation) {
  const { method, path, summary, description, tag } = operation;
  const fields = [...byId(operation.id).querySelectorAll(".name")].map((name) => name.textContent);
  return [`${method} ${path}`, tag, summary, description, ...fields].join("\n").toLowerCase();
}

/** Show the operations that have all the words of the filter. */
function filter() {
  const wanted = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const operation of operations) {
    const words = wanted.length ? wordsOf(operation) : "";
    const fits = wanted.every((word) => words.includes(word));
    found += fits;
    byId(operation.id).hidden = !fits;
    document.querySelector(`[data-of="${operation.id}"]`).hidden = !fits;
  }
  for (const group of document.querySelectorAll(".group")) {
    group.hidden = !group.querySelector(".operation:not([hidden]), li[data-of]:not([hidden])");
  }
  byId("filtered").textContent = wanted.length ? `${found} of ${count(operations.length, "operation")}` : "";
}

/** Go to the operation that the address names. */
function follow() {
  const operation = operations.find((one) => `#${one.id}` === location.hash);
  byId("names").querySelector("[aria-current]")?.removeAttribute("aria-current");
  if (!operation) return;
  if (byId(operation.id).hidden) {
    byId("filter").value = "";
    filter();
  }
  const link = document.querySelector(`[data-of="${operation.id}"] a`);
  link.setAttribute("aria-current", "true");
  link.scrollIntoView({ block: "nearest" });
  byId(operation.id).scrollIntoView();
}

async function tellKeys() {
  const keyed = await wantsKey().catch(() => false);
  const key = currentKey();
  let said = "This server has no API keys: requests need none.";
  if (key) said = "What you try here is sent with your API key.";
  else if (keyed) said = "This server answers those who have an API key.";
  byId("key-line").textContent = said;
  byId("enter-key").hidden = !keyed || Boolean(key);
  byId("forget-key").hidden = !key;
  return keyed;
}

function startKeys() {
  byId("enter-key").addEventListener("click", () => askForKey({ wrong: false, quiet: false }));
  byId("forget-key").addEventListener("click", () => {
    forgetKey();
    location.reload(); // with all that it showed
  });
  document.addEventListener("byline:key", tellKeys);
}

async function load() {
  let description;
  try {
    description = await getJson("openapi.json");
  } catch (error) {
    byId("operations").replaceChildren(
      h("p", { class: "bad", role: "alert" }, `The description cannot be read: ${error.message}`),
      h("button", { type: "button", onclick: load }, "Try again"));
    return;
  }
  const { title, version, description: about } = description.info;
  byId("title").replaceChildren(`${title} API `, h("span", { class: "version" }, version));
  byId("about").replaceChildren(...prose(about));
  schemas = new Schemas(description);
  operations = operationsOf(description);
  draw(await tellKeys());
  follow();
}

function unfold() {
  byId("list").open = WIDE.matches;
}

byId("filter").addEventListener("input", () => {
  filter();
  if (byId("filter").value) byId("list").open = true;
});
addEventListener("hashchange", follow);
WIDE.addEventListener("change", unfold);
unfold();
startKeys();
load();
