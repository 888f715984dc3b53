// The conversation that is open: asking, stopping, asking again, and opening what was said before.

import { Problem, events, getJson, request } from "./api.js";
import { byId, h } from "./dom.js";
import { closeReader } from "./reader.js";
import { Turn, problemText } from "./turn.js";

const ID = /^#(conv_[\w-]+)$/;

let conversation = null; // its head; null while a new one has not begun
let shown = null; // its id, also while it is fetched and where that failed
let opening = Promise.resolve();
let running = null; // AbortController of the answer that is awaited
let chosen = () => ({});
let onChange = () => {};

const turns = () => byId("turns");

/** Give the head of the conversation that is open, null for a new one. */
export const openConversation = () => conversation;

/**
 * Make the conversation ready.
 * @param {object} parts `choices` gives filters and such for a question; `changed` is told after each exchange.
 */
export function startChat({ choices, changed }) {
  chosen = choices;
  onChange = changed;
  byId("stop").addEventListener("click", () => running?.abort());
  addEventListener("hashchange", () => openFromAddress());
}

/** Open the conversation that the address names, or a new one, unless it is the one that is shown. */
export function openFromAddress() {
  opening = opening.then(async () => {
    const id = ID.exec(location.hash)?.[1] ?? null;
    if (id === shown) return;
    leave();
    if (id) await load(id);
    else settle(null);
  });
  return opening;
}

/** Begin a new conversation. */
export function newConversation() {
  leave();
  settle(null);
  byId("message").focus();
}

/** Take on what was changed about the open conversation, such as its title. */
export function conversationChanged(head) {
  if (head.id === conversation?.id) settle(head);
}

function leave() {
  running?.abort();
  running = null;
  busy(false);
  closeReader();
  turns().replaceChildren();
  [conversation, shown] = [null, null];
}

function settle(head) {
  [conversation, shown] = [head, head?.id ?? null];
  const hash = head ? `#${head.id}` : "";
  if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname + location.search);
  byId("title").textContent = head?.title || "New conversation";
  document.title = head ? `${head.title} · Byline` : "Byline";
  byId("conversation-tools").hidden = !head;
  byId("welcome").hidden = Boolean(turns().firstChild);
  onChange();
}

async function load(id) {
  shown = id;
  byId("welcome").hidden = true;
  turns().replaceChildren(h("p", { class: "remark" }, "Opening the conversation …"));
  try {
    const path = `v1/conversations/${encodeURIComponent(id)}?limit=200`;
    let page = await getJson(path);
    const head = page;
    const messages = [...page.messages];
    while (page.next_cursor) {
      page = await getJson(`${path}&cursor=${encodeURIComponent(page.next_cursor)}`);
      messages.push(...page.messages);
    }
    if (shown !== id) return;
    turns().replaceChildren(...exchanges(messages));
    settle({ id: head.id, title: head.title });
    turns().lastElementChild?.scrollIntoView({ block: "start" });
  } catch (error) {
    if (shown !== id) return;
    turns().replaceChildren(h("p", { class: "problem", role: "alert" }, error.status === 404
      ? "There is no such conversation (any more)." : problemText(error)));
  }
}

function exchanges(messages) {
  const shown = [];
  let question = "";
  for (const message of messages) {
    if (message.role === "user") question = message.content;
    else {
      const turn = new Turn(question);
      turn.finish({ ...message, answer: message.content, rating: message.feedback?.rating });
      shown.push(turn.element);
    }
  }
  return shown;
}

/** Ask a question in the open conversation. */
export async function ask(message) {
  await openFromAddress(); // it may not be there yet
  if (running) return;
  if (!conversation) turns().querySelector(":scope > .problem")?.remove();
  const turn = new Turn(message);
  turn.element.classList.add("fresh");
  turns().querySelector(".fresh")?.classList.remove("fresh");
  turns().append(turn.element);
  byId("welcome").hidden = true;
  await answer(turn, message);
}

async function answer(turn, message) {
  running?.abort();
  const controller = new AbortController();
  running = controller;
  busy(true);
  turn.wait();
  turn.element.scrollIntoView({ block: "start" });
  const again = () => answer(turn, message);
  let begun = null;
  try {
    const json = { message, conversation_id: conversation?.id ?? null, stream: true, ...chosen() };
    const reply = await stream(turn, json, controller.signal, (id) => {
      begun = id;
    });
    turn.finish(reply);
    turn.announce();
    await adopt(reply.conversation_id, controller);
  } catch (error) {
    if (running !== controller) return; // another conversation is open
    if (error.name === "AbortError") {
      turn.stopped(again);
      await adopt(begun, controller);
    } else turn.fail(error, again);
  } finally {
    if (running === controller) {
      running = null;
      busy(false);
    }
  }
}

async function stream(turn, json, signal, begin) {
  const response = await request("v1/chat", { method: "POST", json, signal });
  for await (const event of events(response)) {
    if (event.name === "done") return event.data;
    if (event.name === "error") throw Problem.of(event.data, event.data.status);
    if (event.name === "start") begin(event.data.conversation_id);
    turn.take(event);
  }
  throw new Problem("The answer broke off before its end.");
}

/** Go on with the conversation that a first question began, if the server keeps it; renew its place in the list. */
async function adopt(id, controller) {
  if (!id) return;
  try {
    const path = `v1/conversations/${encodeURIComponent(id)}?limit=1`;
    const { title } = conversation ?? (await getJson(path, { quiet: true }));
    if (running === controller) settle({ id, title });
  } catch {
    // The answer stands; it was not stored.
  }
}

function busy(is) {
  byId("send").hidden = is;
  byId("stop").hidden = !is;
}
