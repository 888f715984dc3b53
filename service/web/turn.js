// One exchange on the page: a question, and below it the answer as it comes, or what went wrong.

import { answerBlock, answerText, conflictBox, exactness, reasonText, remarks, sourceList } from "./answer.js";
import { request } from "./api.js";
import { announce, count, h, icon } from "./dom.js";
import { openCitation } from "./reader.js";
import { dayText, secondsText } from "./text.js";

const SEARCHING = "Searching the articles …";

export class Turn {
  /** @param {string} question The reader's words. */
  constructor(question) {
    this.question = question;
    this.reply = { answer: "", sentences: [], citations: [] };
    this.body = h("div", { class: "reply" });
    this.element = h("section", { class: "turn" }, h("h2", { class: "question" }, question), this.body);
    this.open = (citation, from) => openCitation(citation, this.reply.generation, from);
  }

  /** Show that an answer is awaited. */
  wait() {
    this.reply = { answer: "", sentences: [], citations: [] };
    const pulse = h("span", { class: "pulse", "aria-hidden": "true" });
    this.body.replaceChildren(h("p", { class: "waiting" }, pulse, SEARCHING));
    this.body.setAttribute("aria-busy", "true");
  }

  /** Take in an event of a stream that is not its last. */
  take({ name, data }) {
    if (name === "start") Object.assign(this.reply, { generation: data.generation, question: data.question });
    else if (name === "citation") this.reply.citations.push(data);
    else if (name === "sentence") this.reply.sentences.push(data);
    else if (name === "delta") this.reply.answer += data.text;
    if (this.reply.answer) this.#soon();
  }

  #soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      const focused = this.body.contains(document.activeElement) && document.activeElement.dataset.number;
      this.body.replaceChildren(h("div", { class: "answer" }, answerText(this.reply, this.open)));
      if (focused) this.body.querySelector(`.mark[data-number="${focused}"]`)?.focus();
    });
  }

  #still() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    this.body.removeAttribute("aria-busy");
  }

  /** Show the whole reply. */
  finish(reply) {
    this.#still();
    this.reply = reply;
    const parts = [
      answerBlock(reply, this.open),
      remarks(reply, this.question),
      conflictBox(reply, this.open),
      sourceList(reply, this.open),
      h("footer", { class: "reply-foot" },
        h("span", { class: "remark" }, exactness(reply)), tools(reply)),
    ];
    this.body.replaceChildren(...parts.flat().filter(Boolean));
  }

  /** Have a screen reader say the answer, once it is whole. */
  announce() {
    const { status, answer, abstain_reason: reason, citations } = this.reply;
    const label = { abstained: `${reasonText(reason)}.`, partial: "Answered in part." }[status] ?? "";
    announce(`${label} ${answer} ${citations.length ? `${count(citations.length, "source")}.` : ""}`.trim());
  }

  /** Say that the reader stopped the answer; what has come stays. */
  stopped(again) {
    this.#still();
    const said = h("div", { class: "answer" }, answerText(this.reply, this.open));
    this.body.replaceChildren(...(this.reply.answer ? [said] : []),
      h("p", { class: "remark" }, "Stopped. What is shown may be incomplete."), retryRow(null, again));
    announce("Stopped.");
  }

  /** Say what went wrong, in words, with a way on. */
  fail(problem, again) {
    this.#still();
    const text = problemText(problem);
    this.body.replaceChildren(h("div", { class: "problem", role: "alert" }, icon("alert"), h("p", {}, text)),
      retryRow(problem.retryAfter, again));
  }
}

/** Say to a person what an error of the API means. */
export function problemText(problem) {
  if (problem.status === 401) return "This server answers only those who have an API key.";
  if (problem.status === 403) return `Your key may not do this: ${problem.message}`;
  if (problem.status === 429) return `Too many requests at once: ${problem.message}`;
  if (problem.is?.("no-index")) {
    return "There is no index yet. Add articles, and questions can be answered once it is built.";
  }
  return sentence(problem.message);
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;

/** Give a button that asks again, not before the server wants to be asked. */
function retryRow(seconds, again) {
  const button = h("button", { type: "button", onclick: again }, "Try again");
  let left = seconds ?? 0;
  const tick = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${secondsText(left)}` : "Try again";
    if (left > 0 && (left === seconds || button.isConnected)) setTimeout(tick, 1000);
    left -= 1;
  };
  tick();
  return h("p", { class: "retry" }, button);
}

function tools(reply) {
  const said = h("span", { class: "remark", role: "status" });
  // Browsers let pages copy only where nobody on the way can change the page.
  const copy = reply.sentences.length > 0 && navigator.clipboard && h("button", {
    type: "button", class: "icon-button", "aria-label": "Copy with its sources", title: "Copy with its sources",
    onclick: () => navigator.clipboard.writeText(asText(reply)).then(
      () => { said.textContent = "Copied."; }, () => { said.textContent = "The browser does not let it be copied."; }),
  }, icon("copy"));
  const buttons = [["up", "Helpful", "up"], ["down", "Not helpful", "down"]].map(([rating, label, picture]) =>
    h("button", {
      type: "button", class: "icon-button", "aria-label": label, title: label, "data-rating": rating,
      "aria-pressed": String(reply.rating === rating),
      onclick: () => rate(reply, rating, buttons, said),
    }, icon(picture)));
  return h("span", { class: "reply-tools" }, said, copy,
    h("span", { role: "group", "aria-label": "Rate this answer" }, buttons));
}

/** Give an answer as plain text, with a line for each of its sources. */
function asText({ answer, citations }) {
  const lines = citations.map(({ number, title, source, published_at: date, url }) =>
    [`[${number}] ${title}`, source, dayText(date), url].filter(Boolean).join(", "));
  return `${answer}\n\n${lines.join("\n")}`;
}

async function rate(reply, rating, buttons, said) {
  try {
    await request(`v1/messages/${encodeURIComponent(reply.id)}/feedback`, { method: "PUT", json: { rating } });
  } catch (error) {
    said.textContent = problemText(error);
    return;
  }
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.rating === rating));
  said.textContent = "Thank you.";
}
