// Where questions are written.

import { ask } from "./chat.js";
import { byId } from "./dom.js";
import { filtersAreWrong } from "./filters.js";

/** Make the field ready: Enter sends, Shift and Enter begin a line. */
export function startComposer() {
  const form = byId("composer");
  const field = byId("message");
  field.addEventListener("keydown", (event) => {
    // Enter that ends a choice of an input method is not for us.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  field.addEventListener("input", () => fit(field));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const message = field.value.trim();
    if (!message || byId("send").hidden || filtersAreWrong()) return;
    field.value = "";
    fit(field);
    ask(message);
  });
}

function fit(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
