// Taking articles in: files that are dropped or chosen go to the server, and what became of each is shown.

import { request } from "./api.js";
import { startBuild } from "./building.js";
import { announce, byId, count, h, icon } from "./dom.js";
import { acceptDrops } from "./dropping.js";
import { problemText } from "./turn.js";

// A request has a largest size; the server says so itself where a single file is larger.
const MOST_BYTES = 4_000_000;
const MOST_FILES = 50;
const OUTCOMES = ["added", "updated", "unchanged", "refused"];

let may = true;
let sending = Promise.resolve();

/** Make adding ready. */
export function startAdding() {
  const chooser = byId("files");
  for (const button of document.querySelectorAll(".add-articles")) {
    button.addEventListener("click", () => chooser.click());
  }
  chooser.addEventListener("change", () => {
    add([...chooser.files]);
    chooser.value = "";
  });
  acceptDrops(byId("veil"), () => may, add);
  document.addEventListener("byline:key", () => allow(true)); // another key may do more
}

function add(files) {
  if (!files.length) return;
  // One after another, so that reports come in the order of the drops.
  sending = sending.then(() => send(files));
}

async function send(files) {
  const card = new Report(files.length);
  byId("tray").append(card.element);
  const results = [];
  try {
    for (const batch of batches(files)) {
      results.push(...(await sendBatch(batch)));
      card.progress(batch.length);
    }
  } catch (error) {
    if (error.status === 403) allow(false);
    card.fail(problemText(error));
    if (!results.length) return;
  }
  card.finish(results);
  if (results.some(({ outcome }) => outcome === "added" || outcome === "updated")) await startBuild();
}

function* batches(files) {
  let batch = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length && (batch.length === MOST_FILES || bytes + file.size > MOST_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(file);
    bytes += file.size;
  }
  yield batch;
}

async function sendBatch(files) {
  const body = new FormData();
  for (const file of files) body.append("files", file, file.name);
  try {
    return (await (await request("v1/articles/files", { method: "POST", body })).json()).results;
  } catch (error) {
    // What concerns these files only is told of them; all else ends the whole.
    if (![400, 408, 413, 415, 422].includes(error.status)) throw error;
    return files.map((file) => ({ file: file.name, outcome: "refused", article_id: null, reason: error.message }));
  }
}

function allow(yes) {
  may = yes;
  for (const button of document.querySelectorAll(".add-articles")) button.disabled = !yes;
  for (const note of document.querySelectorAll(".may-not-add")) note.hidden = yes;
}

/** A card in the tray that tells what became of some files. */
class Report {
  constructor(total) {
    this.total = total;
    this.title = h("h3", {}, `Adding ${count(total, "file")} …`);
    this.bar = h("progress", { max: String(total), value: "0", "aria-label": "Files sent" });
    const close = h("button", {
      type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: () => this.element.remove(),
    }, icon("close"));
    this.element = h("div", { class: "card" }, h("div", { class: "card-head" }, this.title, close), this.bar);
  }

  progress(files) {
    this.bar.value += files;
  }

  fail(text) {
    this.bar.remove();
    this.title.textContent = "Files were not added";
    this.element.append(h("p", { class: "bad", role: "alert" }, text));
  }

  finish(results) {
    this.bar.remove();
    const said = OUTCOMES.map((name) => [results.filter(({ outcome }) => outcome === name).length, name])
      .filter(([number]) => number > 0).map(([number, name]) => `${number} ${name}`).join(", ");
    this.title.textContent = `Articles: ${said}`;
    announce(this.title.textContent);
    const refused = results.filter(({ outcome }) => outcome === "refused");
    const others = results.filter(({ outcome }) => outcome !== "refused");
    if (refused.length) this.element.append(h("ul", { class: "outcomes refused" }, refused.map(outcomeLine)));
    if (others.length) {
      this.element.append(h("details", {},
        h("summary", {}, count(others.length, "article taken in", "articles taken in")),
        h("ul", { class: "outcomes" }, others.map(outcomeLine))));
    }
  }
}

function outcomeLine({ file, outcome, reason }) {
  return h("li", {}, h("span", { class: "file" }, file), " ",
    h("span", { class: outcome === "refused" ? "outcome refused" : "outcome" }, outcome),
    reason && h("span", { class: "reason" }, reason));
}
