// The index: how large it is, and how far a build of it is, while chatting goes on.

import { Problem, events, getJson, request } from "./api.js";
import { announce, byId, count, h, icon } from "./dom.js";
import { agoText, secondsText } from "./text.js";
import { problemText } from "./turn.js";

const PHASES = {
  read: "Reading the articles",
  chunk: "Cutting them into passages",
  embed: "Working out what the passages mean",
  write: "Writing the index",
  verify: "Checking the index",
  publish: "Putting it into service",
};
const NAME = "byline-build";
const AGAIN_MS = 2000;

let followed = null;
let onBuilt = () => {};

/** Make builds ready, and go on with the one that this tab followed; `built` is told of each that succeeded. */
export function startBuilding(built) {
  onBuilt = built;
  byId("build").addEventListener("click", () => startBuild());
  const id = sessionStorage.getItem(NAME);
  if (id) follow(id);
}

/** Say how large the index is, and what it does not hold yet; gives what the server said, null where it did not. */
export async function describeIndex() {
  const line = byId("index-line");
  try {
    const index = await getJson("v1/index", { quiet: true });
    const { added, updated, removed } = index.pending;
    const waiting = added + updated + removed;
    line.textContent = index.generation
      ? `${count(index.articles, "article")}, indexed ${agoText(index.built_at)}` : "No index yet";
    byId("pending-line").textContent = waiting ? `${count(waiting, "change")} not in the index yet` : "";
    byId("build").hidden = !waiting || Boolean(followed);
    return index;
  } catch (error) {
    line.textContent = error.status === 401 ? "" : problemText(error);
    return null;
  }
}

/** Start a build, or join the one that runs, and show how far it is. */
export async function startBuild() {
  try {
    const response = await request("v1/index/builds", { method: "POST", json: { full: false } });
    await follow((await response.json()).id);
  } catch (error) {
    const card = new Card();
    card.end("The index was not built", problemText(error), true);
  }
}

async function follow(id) {
  if (followed === id) return;
  followed = id;
  sessionStorage.setItem(NAME, id);
  byId("build").hidden = true;
  const card = new Card();
  try {
    card.done(await lastState(id, card));
  } catch (error) {
    if (error.status === 404) card.element.remove(); // of a server that knows it no longer
    else card.end("The build is out of sight", problemText(error), true);
  } finally {
    followed = null;
    sessionStorage.removeItem(NAME);
    await describeIndex();
  }
}

/** Follow a build to its end, over as many streams as that takes. */
async function lastState(id, card) {
  const address = `v1/index/builds/${encodeURIComponent(id)}`;
  for (let lost = 0; lost < 30; lost += 1) {
    try {
      for await (const { name, data } of events(await request(`${address}/events`))) {
        lost = 0;
        if (name === "done") return data;
        if (name === "progress") card.show(data);
        if (name === "error") break;
      }
      const build = await getJson(address);
      if (build.finished_at) return build;
    } catch (error) {
      if (!(error instanceof Problem) || ![0, 429, 503].includes(error.status)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
  throw new Problem("The server cannot be reached; the build may go on without this page.");
}

/** The card in the tray that shows a build. */
class Card {
  constructor() {
    this.title = h("h3", {}, "Building the index …");
    this.phase = h("p", { class: "remark" }, "Waiting to begin");
    this.bar = h("progress", { max: "1", "aria-label": "Progress of the build" });
    this.close = h("button", {
      type: "button", class: "icon-button", "aria-label": "Dismiss", hidden: true, onclick: () => this.element.remove(),
    }, icon("close"));
    const head = h("div", { class: "card-head" }, this.title, this.close);
    this.element = h("div", { class: "card build" }, head, this.bar, this.phase);
    byId("tray").querySelector(".build")?.remove();
    byId("tray").append(this.element);
  }

  show({ state, progress }) {
    if (state === "queued" || !progress) return;
    const { phase, done, total, eta_s: seconds } = progress;
    this.bar.max = total || 1;
    if (total) this.bar.value = done;
    else this.bar.removeAttribute("value");
    const number = total > 1 ? `: ${done.toLocaleString("en")} of ${total.toLocaleString("en")}` : "";
    const left = seconds ? `, about ${secondsText(seconds)} left` : "";
    this.phase.textContent = `${PHASES[phase] ?? phase}${number}${left}`;
  }

  done({ state, result, error }) {
    if (state === "succeeded") {
      const changes = [["articles_added", "added"], ["articles_updated", "updated"], ["articles_removed", "removed"]]
        .filter(([name]) => result[name] > 0).map(([name, word]) => `${result[name]} ${word}`).join(", ");
      const asked = `${count(result.articles, "article")} can be asked about${changes && ` (${changes})`}.`;
      this.end("The index is up to date", asked);
      if (result.skipped.length) {
        this.element.append(h("ul", { class: "outcomes refused" }, result.skipped.map(({ article, reason }) =>
          h("li", {}, h("span", { class: "file" }, article), h("span", { class: "reason" }, reason)))));
      }
      onBuilt();
    } else if (state === "cancelled") this.end("The build was cancelled", "The index is as it was before.", true);
    else this.end("The build failed", error ?? "The index is as it was before.", true);
  }

  end(title, text, bad = false) {
    this.bar.remove();
    this.title.textContent = title;
    this.phase.textContent = text;
    this.phase.classList.toggle("bad", bad);
    this.close.hidden = false;
    announce(`${title}. ${text}`);
  }
}
