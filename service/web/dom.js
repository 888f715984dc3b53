// Elements out of values. Text goes in as text nodes only: nothing here, and nothing elsewhere, parses markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag
 * @param {object} attributes `onclick` and the like take functions; false, null and undefined leave one out.
 * @param {...(Node|string|null|false|Array)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  const shown = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...shown);
  return element;
}

/** Make a picture of the page's own sprite; it says nothing to screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

export const byId = (id) => document.getElementById(id);

/** Give an address that may stand in a link: http or https, anything else is null. */
export function webAddress(url) {
  try {
    const { protocol, href } = new URL(url);
    return protocol === "http:" || protocol === "https:" ? href : null;
  } catch {
    return null;
  }
}

/** Give a link that leaves the page without telling where from; null where the address is none for a link. */
export function outwardLink(url, ...children) {
  const href = webAddress(url);
  return href && h("a", { href, rel: "noopener noreferrer", target: "_blank" }, ...children);
}

/** Have a screen reader say something, once it has said what it is at. */
export function announce(text) {
  const place = byId("announcer");
  if (place) place.textContent = text;
}

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
