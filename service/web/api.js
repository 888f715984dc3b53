// Requests to the API, with the reader's key; its errors as `Problem`, its event streams as values.

import { askForKey, currentKey } from "./key.js";

/** Where the server is, below whatever path a proxy puts it. */
const ROOT = new URL("../", import.meta.url);

export const pageAddress = (path) => new URL(path, ROOT).href;

/** What the server refused, or that it cannot be reached (status 0); the message is for people. */
export class Problem extends Error {
  constructor(detail, { status = 0, type = "", retryAfter = null, errors = [] } = {}) {
    super(detail);
    Object.assign(this, { status, type, retryAfter, errors });
  }

  static of(body, status, retryAfter = null) {
    const { detail, title, type, errors } = body ?? {};
    const said = detail || title || `The server answered with status ${status}.`;
    return new Problem(said, { status, type, retryAfter, errors });
  }

  /** Tell whether the problem is of a kind, such as "no-index". */
  is(name) {
    return this.type === `urn:byline:problem:${name}`;
  }
}

/**
 * Ask the API, and for a key where it wants one.
 * @param {string} path Below the root, such as "v1/chat".
 * @param {object} options `json` or `body`; `headers`; `signal`; `quiet`: a key is not asked for again once that was
 *   declined.
 * @returns {Promise<Response>} of any status
 * @throws {Problem} there is none; an AbortError where `signal` said so
 */
export async function exchange(path, { method = "GET", json, body, headers, signal, quiet = false } = {}) {
  for (;;) {
    const key = currentKey();
    const response = await send(path, { method, json, body, headers, signal, key });
    if (response.status !== 401) return response;
    if (currentKey() === key && !(await askForKey({ wrong: key !== null, quiet }))) return response;
  }
}

/**
 * Ask the API as `exchange` does.
 * @returns {Promise<Response>} one that is ok
 * @throws {Problem} it is not; an AbortError where `signal` said so
 */
export async function request(path, options) {
  const response = await exchange(path, options);
  if (response.ok) return response;
  throw await problemOf(response);
}

async function send(path, { method, json, body, headers: more, signal, key }) {
  const headers = { ...more };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  try {
    const sent = json === undefined ? body : JSON.stringify(json);
    return await fetch(new URL(path, ROOT), { method, headers, body: sent, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server cannot be reached.");
  }
}

async function problemOf(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After"), 10);
  const body = await response.json().catch(() => null);
  return Problem.of(body, response.status, Number.isNaN(seconds) ? null : seconds);
}

/** Ask for JSON. */
export const getJson = async (path, options) => (await request(path, options)).json();

/** Tell whether the server wants a key; where there is one, it did. */
export async function wantsKey() {
  return currentKey() !== null || (await send("v1/models", { method: "GET" })).status === 401;
}

/** Look whether the server is ready, without a key: a `Problem` where it is not, null where it is. */
export async function readiness() {
  const response = await send("readyz", { method: "GET" });
  return response.ok ? null : problemOf(response);
}

/**
 * Give the server-sent events of a response as they come.
 * @returns {AsyncGenerator<{name: string, data: object}>}
 * @throws {Problem} the connection broke
 */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } catch (error) {
    throw error instanceof TypeError ? new Problem("The connection to the server broke.") : error;
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parse(block) {
  const fields = { event: "", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w*): ?(.*)$/.exec(line) ?? [];
    if (name in fields) fields[name] += value;
  }
  return fields.data ? { name: fields.event, data: JSON.parse(fields.data) } : null;
}
