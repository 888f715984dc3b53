// The reader's API key: kept for the tab, or on the device if wanted, and asked for when the server wants one.

import { h } from "./dom.js";

const NAME = "byline-api-key";
let memory = null; // where storage is switched off
let asking = null;
let declined = false;

const stores = () => {
  try {
    return [sessionStorage, localStorage];
  } catch {
    return [];
  }
};

/** Give the key, null where there is none. */
export function currentKey() {
  return stores().map((store) => store.getItem(NAME)).find(Boolean) ?? memory;
}

function keep(key, onDevice) {
  forgetKey();
  const [tab, device] = stores();
  const store = onDevice ? device : tab;
  if (store) store.setItem(NAME, key);
  else memory = key;
}

/** Forget the key, wherever it is kept. */
export function forgetKey() {
  memory = null;
  for (const store of stores()) store.removeItem(NAME);
}

/** Tell whether the reader was asked for a key and gave none. */
export const wasDeclined = () => declined;

const changed = () => document.dispatchEvent(new Event("byline:key"));

/**
 * Ask for a key, once for all that wait for one.
 * @param {object} how `wrong`: the one there is was refused; `quiet`: not again after the reader has declined.
 * @returns {Promise<boolean>} whether there is another key now
 */
export function askForKey({ wrong, quiet }) {
  if (quiet && declined && !asking) return Promise.resolve(false);
  asking ??= show(wrong).finally(() => {
    asking = null;
  });
  return asking;
}

function show(wrong) {
  const input = h("input", {
    id: "api-key", type: "password", autocomplete: "off", spellcheck: "false", required: true,
    "aria-describedby": "key-why", "aria-invalid": wrong && "true",
  });
  const onDevice = h("input", { type: "checkbox", id: "key-keep" });
  const form = h("form", {},
    h("h2", { id: "key-title" }, "API key"),
    h("p", { id: "key-why", class: wrong ? "bad" : "" },
      wrong ? "This key was not accepted. Check it, or ask whoever runs this server for one."
        : "This server answers those who have a key. Whoever runs it gives you one."),
    h("label", { for: "api-key" }, "Key"),
    input,
    h("label", { class: "choice", for: "key-keep" }, onDevice, " Keep on this device, not only for this tab"),
    h("div", { class: "dialog-actions" },
      h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Not now"),
      h("button", { type: "submit", class: "primary" }, "Use this key")));
  const dialog = h("dialog", { class: "small", "aria-labelledby": "key-title" }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let given = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const key = input.value.trim();
      // A header takes no other characters; the server would refuse such a key in any case.
      given = /^[\x21-\x7e]+$/.test(key);
      if (given) keep(key, onDevice.checked);
      else if (key) input.setCustomValidity("A key has letters, digits and signs, no spaces.");
      if (given) dialog.close();
      else input.reportValidity();
    });
    input.addEventListener("input", () => input.setCustomValidity(""));
    dialog.addEventListener("close", () => {
      dialog.remove();
      declined = !given;
      changed();
      resolve(given);
    });
    dialog.showModal();
  });
}
