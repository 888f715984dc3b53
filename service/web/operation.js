// One operation of the API: what it takes, what it answers, and how to send it.

import { h, icon } from "./dom.js";
import { curlLine } from "./example.js";
import { coded, fieldItem, prose, schemaView } from "./schema.js";
import { tryIt } from "./trying.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const PLACES = { path: "Path parameters", query: "Query parameters", header: "Headers" };
const NAMES = { 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 304: "Not Modified" };
const UNSAID = "Successful Response"; // what FastAPI writes where nothing else is said

/** Give the operations of a document in its order. */
export function operationsOf(document) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => describe(path, method, item[method])));
}

function describe(path, method, { tags, summary, description, parameters = [], requestBody, responses, security }) {
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const accepts = Object.entries(responses).filter(([status]) => status < "300")
    .flatMap(([, response]) => Object.keys(response.content ?? {}));
  return {
    id: `${method}${path.replace(/[^\w]+/g, "-").replace(/-$/, "")}`,
    tag: tags?.[0] ?? "other",
    path, method, summary, description, parameters, responses,
    body: type ? { type, schema: content.schema } : null,
    needsKey: Boolean(security?.length),
    accepts: [...new Set(accepts)],
    streams: accepts.every((one) => one === "text/event-stream") && accepts.length > 0,
  };
}

/** Give what stands for a method. */
export const methodMark = (method) => h("span", { class: `method ${method}` }, method.toUpperCase());

/** Give a path that may be broken before its parts. */
export const pathText = (path) => path.split("/").slice(1).map((part) => [h("wbr"), `/${part}`]);

/**
 * Draw an operation.
 * @param {Schemas} schemas
 * @param {object} operation One of `operationsOf`.
 * @param {boolean} keyed Whether the server wants keys.
 */
export function operationView(schemas, operation, keyed) {
  const { id, method, path, summary, description } = operation;
  return h("section", { class: "operation", id, "aria-labelledby": `${id}-name` },
    h("h3", { id: `${id}-name` },
      h("a", { href: `#${id}` }, methodMark(method), " ", h("span", { class: "path" }, pathText(path)))),
    h("div", { class: "columns" },
      h("div", { class: "purpose" },
        h("p", { class: "summary" }, summary),
        prose(description),
        keyed && !operation.needsKey && h("p", { class: "remark" }, "Needs no key.")),
      h("div", { class: "samples" },
        curlView(curlLine(schemas, operation, { keyed }), operation),
        tryIt(schemas, operation)),
      h("div", { class: "words" },
        parametersView(schemas, operation),
        bodyView(schemas, operation),
        responsesView(schemas, operation))));
}

function parametersView(schemas, { parameters }) {
  return Object.entries(PLACES).map(([place, said]) => {
    const found = parameters.filter((one) => one.in === place);
    return found.length > 0 && [h("h4", {}, said),
      h("ul", { class: "fields" }, found.map((one) => fieldItem(schemas, one)))];
  });
}

function bodyView(schemas, { body }) {
  return body && [
    h("h4", {}, "Body ", h("span", { class: "media" }, body.type)),
    schemaView(schemas, body.schema, { sent: true }),
  ];
}

/** Draw what is answered: what went well each by itself, errors of one shape together. */
function responsesView(schemas, { responses }) {
  const wells = Object.entries(responses).filter(([status]) => status < "400");
  const shapes = new Map();
  for (const [status, { description, content }] of Object.entries(responses)) {
    if (status < "400") continue;
    const shape = JSON.stringify(content ?? {});
    shapes.set(shape, [...(shapes.get(shape) ?? []), { status, description, content }]);
  }
  return [
    h("h4", {}, "Responses"),
    wells.map(([status, response]) => h("div", { class: "response" },
      h("p", {}, h("strong", { class: "status" }, status), " ",
        coded(response.description === UNSAID ? NAMES[status] ?? "" : response.description)),
      contentView(schemas, response.content))),
    [...shapes.values()].map((errors) => h("div", { class: "response" },
      h("ul", { class: "statuses", "aria-label": "Errors" }, errors.map(({ status, description }) => h("li", {},
        h("strong", { class: "status error" }, status === "default" ? "other" : status), " ", description))),
      h("details", {}, h("summary", {}, "What an error looks like"), contentView(schemas, errors[0].content)))),
  ];
}

function contentView(schemas, content = {}) {
  return Object.entries(content).map(([type, { schema, itemSchema }]) => h("div", { class: "content" },
    h("p", { class: "media" }, type, itemSchema && ", a stream of events"),
    schemaView(schemas, schema ?? itemSchema ?? {})));
}

function curlView(line, { method, path }) {
  const said = h("span", { class: "remark", role: "status" });
  const name = `${method.toUpperCase()} ${path} with curl`;
  // Browsers let pages copy only where nobody on the way can change the page.
  const copy = navigator.clipboard && h("button", {
    type: "button", class: "icon-button", "aria-label": "Copy the command", title: "Copy the command",
    onclick: () => navigator.clipboard.writeText(line).then(
      () => { said.textContent = "Copied."; }, () => { said.textContent = "The browser does not let it be copied."; }),
  }, icon("copy"));
  return h("div", { class: "sample" },
    h("div", { class: "sample-head" }, h("span", {}, "curl"), said, copy),
    h("pre", { class: "curl", tabindex: "0", role: "group", "aria-label": name }, line));
}
