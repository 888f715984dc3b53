// The chat page: puts its parts together, and waits for a server that is still starting.

import { startAdding } from "./adding.js";
import { Problem, readiness } from "./api.js";
import { describeIndex, startBuilding } from "./building.js";
import { openFromAddress, startChat } from "./chat.js";
import { startComposer } from "./composer.js";
import { listConversations, startConversations } from "./conversations.js";
import { byId } from "./dom.js";
import { choices, offerAnswerers, startFilters } from "./filters.js";
import { askForKey, currentKey, forgetKey, wasDeclined } from "./key.js";
import { Placed } from "./place.js";
import { startReader } from "./reader.js";

const EMPTY_MS = 5000;

let loaded = false;

/** Look whether the server can answer, say what is missing, and look again until nothing is. */
async function look() {
  let problem;
  try {
    problem = await readiness();
  } catch (error) {
    problem = error;
  }
  const starting = problem?.message.startsWith("starting");
  const unreachable = problem?.status === 0;
  if (!starting && !unreachable && !loaded) await load();
  await tell(problem, { starting, unreachable });
  if (problem) setTimeout(look, starting || unreachable ? 1000 * (problem.retryAfter ?? 2) : EMPTY_MS);
}

async function tell(problem, { starting, unreachable }) {
  const notice = byId("notice");
  const noIndex = Boolean(problem) && !starting && !unreachable && problem.message.startsWith("index");
  byId("empty").hidden = !noIndex;
  byId("hello").hidden = noIndex;
  let text = "";
  if (starting) text = "Byline is starting. It takes a few seconds; this page goes on by itself.";
  else if (unreachable) text = "The server cannot be reached. Trying again …";
  else if (problem instanceof Problem && !noIndex) text = `The server is not ready: ${problem.message}`;
  notice.textContent = text;
  notice.hidden = !text;
  if (noIndex || (!problem && byId("index-line").textContent === "No index yet")) await describeIndex();
}

/** Fetch what the page shows besides answers. */
async function load() {
  loaded = true;
  await listConversations(); // first and alone: it asks for the key, where one is wanted
  await Promise.all([describeIndex(), offerAnswerers(), openFromAddress()]);
}

function startKeys() {
  const show = () => {
    byId("forget-key").hidden = !currentKey();
    byId("enter-key").hidden = !wasDeclined();
  };
  byId("forget-key").addEventListener("click", () => {
    forgetKey();
    // Nothing stays on the page of what the key let somebody see.
    history.replaceState(null, "", location.pathname);
    location.reload();
  });
  byId("enter-key").addEventListener("click", () => askForKey({ wrong: false, quiet: false }));
  document.addEventListener("byline:key", () => {
    show();
    if (loaded && !wasDeclined()) load(); // what was refused without it
  });
  show();
}

function startSidebar() {
  const sidebar = new Placed(byId("sidebar"), byId("drawer"), "(width < 50rem)", { stays: true });
  byId("menu").addEventListener("click", (event) => sidebar.open(event.currentTarget));
  byId("close-menu").addEventListener("click", () => sidebar.close());
  return () => sidebar.close();
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address keeps the conversation
  byId("message").focus();
});
const closeSidebar = startSidebar();
startReader();
startFilters();
startComposer();
startKeys();
startAdding();
startChat({ choices, changed: listConversations });
startConversations(closeSidebar);
startBuilding(look);
look();
