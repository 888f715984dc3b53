// The list of conversations, and what can be done with the open one: renaming and deleting it.

import { getJson, request } from "./api.js";
import { conversationChanged, newConversation, openConversation } from "./chat.js";
import { byId, h } from "./dom.js";
import { agoText } from "./text.js";
import { problemText } from "./turn.js";

const PAGE = 30;
let cursor = null;

/** Make the list ready; `close` hides it where it covers the page. */
export function startConversations(close) {
  byId("new").addEventListener("click", () => {
    newConversation();
    close();
  });
  byId("conversations").addEventListener("click", (event) => event.target.closest("a") && close());
  byId("more").addEventListener("click", () => showMore());
  byId("rename").addEventListener("click", rename);
  byId("delete").addEventListener("click", remove);
}

/** Show the newest conversations. */
export async function listConversations() {
  cursor = null;
  await showMore(true);
}

/** Mark the conversation that is open. */
export function markOpen() {
  const id = openConversation()?.id;
  for (const link of byId("conversations").querySelectorAll("a")) {
    if (link.hash === `#${id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function showMore(anew = false) {
  const list = byId("conversations");
  const note = byId("conversations-note");
  try {
    const after = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const page = await getJson(`v1/conversations?limit=${PAGE}${after}`, { quiet: true });
    const items = page.data.map(item);
    if (anew) list.replaceChildren(...items);
    else list.append(...items);
    if (!anew) items[0]?.querySelector("a").focus();
    cursor = page.next_cursor;
    note.textContent = list.firstChild ? "" : "No conversations yet. Ask something, and it is kept here.";
  } catch (error) {
    note.textContent = problemText(error);
  }
  byId("more").hidden = !cursor;
  markOpen();
}

function item({ id, title, updated_at: updated }) {
  return h("li", {}, h("a", { href: `#${encodeURIComponent(id)}` },
    h("span", { class: "conversation-title" }, title || "Untitled"), h("span", { class: "ago" }, agoText(updated))));
}

function rename() {
  const { id, title } = openConversation();
  const input = h("input", { id: "new-title", type: "text", required: true, maxlength: "80", value: title });
  dialog("Rename conversation", [h("label", { for: "new-title" }, "Title"), input], "Rename", "primary", async () => {
    const json = { title: input.value.trim() };
    const response = await request(`v1/conversations/${encodeURIComponent(id)}`, { method: "PATCH", json });
    const head = await response.json();
    conversationChanged({ id, title: head.title });
    await listConversations();
  });
  input.select();
}

function remove() {
  const { id, title } = openConversation();
  const words = h("p", {}, "“", h("strong", {}, title), "” and its answers are removed for good.");
  dialog("Delete this conversation?", [words], "Delete", "danger", async () => {
    await request(`v1/conversations/${encodeURIComponent(id)}`, { method: "DELETE" });
    if (openConversation()?.id === id) newConversation();
    await listConversations();
  });
}

/** Ask in a dialog; it stays, with the reason, if what was asked for fails. */
function dialog(title, content, label, kind, act) {
  const why = h("p", { class: "bad", role: "alert" });
  const form = h("form", {}, h("h2", { id: "dialog-title" }, title), content, why,
    h("div", { class: "dialog-actions" },
      h("button", { type: "button", class: "quiet", onclick: () => box.close() }, "Cancel"),
      h("button", { type: "submit", class: kind }, label)));
  const box = h("dialog", { class: "small", "aria-labelledby": "dialog-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await act();
      box.close();
    } catch (error) {
      why.textContent = problemText(error);
    }
  });
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}
