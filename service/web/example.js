// Requests that can be sent as they are: example values from schemas, and a curl line.

import { pageAddress } from "./api.js";

const BY_FORMAT = { date: "2026-01-31", "date-time": "2026-01-31T12:00:00Z" };
const BY_TYPE = { integer: 1, number: 1, boolean: true, null: null };

/** Give a value that fits a schema: its own example or default, else as little as is required. */
export function exampleOf(schemas, schema) {
  const own = schemas.resolve(schema);
  const one = schemas.choices(own)[0];
  for (const given of [own.examples?.[0], one.examples?.[0], own.default, one.default, one.const, one.enum?.[0]]) {
    if (given !== undefined && given !== null) return given;
  }
  if (one.type === "array") return one.maxItems === 0 ? [] : [exampleOf(schemas, one.items ?? {})];
  if (one.properties) {
    const names = one.required ?? Object.keys(one.properties).filter((name) => "default" in one.properties[name]);
    return Object.fromEntries(names.map((name) => [name, exampleOf(schemas, one.properties[name])]));
  }
  if (one.type === "object") return {};
  return one.type in BY_TYPE ? BY_TYPE[one.type] : BY_FORMAT[one.format] ?? "string";
}

/** Give an example of a body as text, "" where there is none. */
export const bodyText = (schemas, body) =>
  (body?.type === "application/json" ? JSON.stringify(exampleOf(schemas, body.schema), null, 2) : "");

/** Give the fields of a form, and which of them take files. */
export function formFields(schemas, body) {
  const { properties, required = [] } = schemas.resolve(body.schema);
  return Object.entries(properties).map(([name, schema]) => ({
    name, schema, required: required.includes(name), takesFiles: schemas.type(schema).includes("file"),
  }));
}

/** Give the address of an operation below the server's root; values come by the parameters' names. */
export function addressOf({ path, parameters }, valueOf) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(valueOf(name)));
  const query = parameters.filter((one) => one.in === "query" && valueOf(one.name))
    .map(({ name }) => `${encodeURIComponent(name)}=${encodeURIComponent(valueOf(name))}`);
  return [filled.slice(1), ...(query.length ? [query.join("&")] : [])].join("?");
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Give the command that sends an operation; what has to be filled in stands in capitals. */
export function curlLine(schemas, operation, { keyed }) {
  const { method, body, needsKey, parameters } = operation;
  const required = new Set(parameters.filter((one) => one.required).map((one) => one.name));
  const address = pageAddress(addressOf(operation, (name) => (required.has(name) ? name.toUpperCase() : "")));
  const parts = [];
  if (operation.streams) parts.push("-N");
  if (method !== (body ? "post" : "get")) parts.push(`-X ${method.toUpperCase()}`);
  const lines = [["curl", ...parts, /^[\w.:/-]+$/.test(address) ? address : quoted(address)].join(" ")];
  if (needsKey && keyed) lines.push('-H "Authorization: Bearer $BYLINE_KEY"');
  if (body?.type === "multipart/form-data") {
    for (const { name, takesFiles, required: wanted } of formFields(schemas, body)) {
      if (wanted) lines.push(`-F ${name}=${takesFiles ? "@FILE" : name.toUpperCase()}`);
    }
  } else if (body) {
    lines.push(`-H ${quoted(`Content-Type: ${body.type}`)}`, `-d ${quoted(bodyText(schemas, body))}`);
  }
  return lines.join(" \\\n  ");
}
