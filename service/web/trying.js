// A form that sends an operation, with the reader's key, and shows what comes back as it is.

import { exchange } from "./api.js";
import { h } from "./dom.js";
import { addressOf, bodyText, formFields } from "./example.js";

/** Give a part that unfolds to the form; it is made when it is first opened. */
export function tryIt(schemas, operation) {
  const details = h("details", { class: "try" }, h("summary", {}, "Try it"));
  details.addEventListener("toggle", () => details.append(form(schemas, operation)), { once: true });
  return details;
}

function form(schemas, operation) {
  const { id, parameters, body, accepts } = operation;
  const inputs = parameters.map((one) => ({ ...one, field: parameterField(`${id}-${one.name}`, one) }));
  const files = body?.type === "multipart/form-data" ? formFields(schemas, body) : [];
  const parts = files.map((one) => ({ ...one, field: formField(`${id}-part-${one.name}`, one) }));
  const example = bodyText(schemas, body);
  const rows = example.split("\n").length + 2;
  const text = body && !parts.length && h("textarea", { id: `${id}-body`, rows, spellcheck: "false" });
  if (text) text.value = example;
  const accept = accepts.length > 1 && h("select", { id: `${id}-accept` }, accepts.map((one) => h("option", {}, one)));
  const send = h("button", { type: "submit", class: "primary" }, "Send");
  const stop = h("button", { type: "button", hidden: true }, "Stop");
  const shown = h("div", { class: "came" });
  const element = h("form", {},
    inputs.map(({ name, required, field }) => labelled(name, field, required)),
    parts.map(({ name, required, field }) => labelled(name, field, required)),
    text && labelled("Body", text),
    accept && labelled("Accept", accept),
    h("div", { class: "try-actions" }, send, stop),
    shown);

  const valueOf = (name) => inputs.find((one) => one.name === name && one.in !== "header")?.field.value ?? "";
  const options = () => {
    const headers = accept ? { Accept: accept.value } : {};
    for (const { name, field, in: place } of inputs) if (place === "header" && field.value) headers[name] = field.value;
    if (text) headers["Content-Type"] = body.type;
    return { method: operation.method.toUpperCase(), headers, body: text ? text.value : formOf(parts) };
  };
  element.addEventListener("submit", async (event) => {
    event.preventDefault(); // nor is anything sent twice, while the first is on its way
    if (send.disabled) return;
    const stopping = new AbortController();
    stop.onclick = () => stopping.abort();
    send.disabled = true;
    stop.hidden = false;
    await show(shown, () => exchange(addressOf(operation, valueOf), { ...options(), signal: stopping.signal }));
    send.disabled = false;
    stop.hidden = true;
  });
  return element;
}

function labelled(name, field, required = false) {
  const mark = required && h("span", { class: "required" }, " required");
  return h("div", { class: "labelled" }, h("label", { for: field.id }, name, mark), field);
}

function parameterField(id, { schema, required }) {
  return h("input", { id, type: "text", autocomplete: "off", spellcheck: "false", required, pattern: schema.pattern });
}

function formField(id, { takesFiles, required }) {
  return takesFiles
    ? h("input", { id, type: "file", multiple: true, required })
    : h("input", { id, type: "text", autocomplete: "off", required });
}

function formOf(parts) {
  if (!parts.length) return undefined;
  const sent = new FormData();
  for (const { name, field } of parts) {
    if (field.files) for (const file of field.files) sent.append(name, file);
    else if (field.value) sent.append(name, field.value);
  }
  return sent;
}

/** Send, and show status, headers and body; a stream as it comes. */
async function show(place, sending) {
  const line = h("p", { class: "came-line", role: "status" }, "Sending …");
  const region = (name) => h("pre", { class: "came-text", tabindex: "0", role: "group", "aria-label": name });
  place.replaceChildren(line);
  const began = performance.now();
  try {
    const response = await sending();
    const headers = region("Headers of the response");
    headers.textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const body = region("Body of the response");
    place.append(h("details", {}, h("summary", {}, "Headers"), headers), body);
    line.textContent = `${response.status} ${response.statusText}`.trim();
    line.classList.toggle("bad", !response.ok);
    await read(response, body);
    line.textContent += `, after ${Math.round(performance.now() - began).toLocaleString("en")} ms`;
  } catch (error) {
    line.classList.add("bad");
    line.textContent = error.name === "AbortError" ? "Stopped." : error.message;
  }
}

async function read(response, shown) {
  if ((response.headers.get("Content-Type") ?? "").includes("json")) {
    shown.textContent = indented(await response.text());
    return;
  }
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = (await reader?.read()) ?? { done: true };
    if (done) break;
    shown.append(value);
  }
  if (!shown.firstChild) shown.textContent = "(no body)";
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
