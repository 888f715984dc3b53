// Schemas of an OpenAPI document in words: which type a value has, within which bounds, and what stands in it.

import { h } from "./dom.js";

/** The schemas of a document, which refer to each other by name. */
export class Schemas {
  #named;

  constructor(document) {
    this.#named = document.components?.schemas ?? {};
  }

  /** Give a schema with its reference followed; `name` is what the document calls it then. */
  resolve(schema) {
    if (!schema.$ref) return schema;
    const { $ref, ...beside } = schema;
    const name = $ref.split("/").pop();
    return { ...this.#named[name], ...beside, name };
  }

  /** Give the schemas of which a value has one. */
  choices(schema) {
    const own = this.resolve(schema);
    if (Array.isArray(own.type)) return own.type.map((type) => (type === "null" ? { type } : { ...own, type }));
    const several = own.type ? null : own.anyOf ?? own.oneOf;
    return several ? several.flatMap((one) => this.choices(one)) : [own];
  }

  /** Give the schemas with fields that a value is or holds. */
  objects(schema) {
    return this.choices(schema).flatMap((one) => {
      if (one.properties) return [one];
      const inner = one.items ?? one.additionalProperties;
      return inner && inner !== true ? this.objects(inner) : [];
    });
  }

  /** Say of which type a value is. */
  type(schema) {
    return [...new Set(this.choices(schema).map((one) => this.#type(one)))].join(" or ");
  }

  #type(one) {
    if ("const" in one) return JSON.stringify(one.const);
    if (one.enum) return one.enum.map((value) => JSON.stringify(value)).join(" or ");
    if (one.contentMediaType === "application/octet-stream") return "file";
    if (one.contentMediaType) return `${one.type} of ${one.contentMediaType}`;
    if (one.type === "array") return `array of ${grouped(this.type(one.items ?? {}))}`;
    if (one.type === "object" && typeof one.additionalProperties === "object") {
      return `object of ${grouped(this.type(one.additionalProperties))}`;
    }
    if (one.properties) return one.name ?? "object";
    return [one.type ?? "any value", one.format && `(${one.format})`].filter(Boolean).join(" ");
  }
}

const grouped = (type) => (type.includes(" or ") ? `(${type})` : type);

const code = (value) => h("code", {}, value);

/** Give text with what stands between backticks as code. */
export const coded = (text) => text.split("`").map((piece, at) => (at % 2 ? code(piece) : piece));

/** Give text as paragraphs. */
export const prose = (text) =>
  (text ?? "").split(/\n\s*\n/).filter((part) => part.trim()).map((part) => h("p", {}, coded(part)));

function range(low, high, unit) {
  if (low === undefined && high === undefined) return null;
  const [least, most] = [low, high].map((number) => number?.toLocaleString("en"));
  let said = `${least} to ${most}`;
  if (low === high) said = `exactly ${least}`;
  else if (low === undefined) said = `at most ${most}`;
  else if (high === undefined) said = `at least ${least}`;
  return unit ? `${said} ${unit}${(high ?? low) === 1 ? "" : "s"}` : said;
}

/** Give what holds for a value besides its type: one list of nodes and strings for each bound. */
function bounds(schemas, schema) {
  const own = schemas.resolve(schema);
  const found = schemas.choices(own).flatMap((one) => {
    const choices = one.type && one.type !== "object" ? one.anyOf ?? [] : [];
    const either = choices.map((choice) => [choice.format && `a ${choice.format}`, bounds(schemas, choice)]);
    return [
      range(one.minLength, one.maxLength, "character"),
      range(one.minimum, one.maximum),
      range(one.minItems, one.maxItems, "item"),
      one.pattern && ["matches ", code(one.pattern)],
      either.length > 0 && either.map((one, at) => [at > 0 && " or ", one]),
      ...(one.type === "array" && one.items ? bounds(schemas, one.items).map((bound) => ["each ", bound]) : []),
    ];
  });
  if (own.default !== undefined && own.default !== null) found.push(["default ", code(JSON.stringify(own.default))]);
  return found.filter(Boolean);
}

/** Describe a field or parameter; `above` names the schemas that it stands in. */
export function fieldItem(schemas, { name, schema, required, description }, above = []) {
  return h("li", {},
    h("p", { class: "field" },
      h("code", { class: "name" }, name), " ",
      h("span", { class: "type" }, schemas.type(schema)),
      required && [" ", h("span", { class: "required" }, "required")],
      bounds(schemas, schema).map((bound) => [" ", h("span", { class: "bound" }, bound)])),
    prose(description ?? schemas.resolve(schema).description ?? ""),
    schemas.objects(schema).map((object) => inner(schemas, object, above)));
}

function inner(schemas, object, above) {
  if (above.includes(object.name)) return h("p", { class: "remark" }, `${object.name} is described above.`);
  return h("details", {}, h("summary", {}, `Fields of ${object.name ?? "the object"}`), fields(schemas, object, above));
}

function fields(schemas, object, above) {
  const names = Object.keys(object.properties);
  if (names.length === 0) return null;
  return h("ul", { class: "fields" }, names.map((name) => fieldItem(schemas, {
    name, schema: object.properties[name], required: object.required?.includes(name),
  }, object.name ? [...above, object.name] : above)));
}

/** Say which fields exclude each other: a choice of schemas, each of which has one of them null. */
function exclusion({ properties, anyOf }) {
  const nulls = (anyOf ?? []).map((one) => Object.entries(one.properties ?? {}))
    .map((named) => (named.length === 1 && named[0][1].type === "null" ? named[0][0] : null));
  if (!properties || nulls.length < 2 || nulls.includes(null)) return null;
  const named = nulls.map((name, at) => [at > 0 && ", ", code(name)]);
  return h("p", {}, "At least one of these is null or left out: ", named, ".");
}

/** Describe what a body holds: its type, and its fields where it has some. */
export function schemaView(schemas, schema, { sent = false } = {}) {
  const objects = schemas.objects(schema);
  return [
    h("p", { class: "field" },
      h("span", { class: "type" }, schemas.type(schema)),
      bounds(schemas, schema).map((bound) => [" ", h("span", { class: "bound" }, bound)])),
    objects.map((object) => [
      prose(object.description),
      fields(schemas, object, []),
      exclusion(object),
      sent && object.additionalProperties === false && h("p", { class: "remark" }, "Other fields are refused."),
    ]),
  ];
}
