// Offsets of the API count Unicode code points; strings here count UTF-16 units, two for 🛶 and 𝔑.

const isHigh = (unit) => unit >= 0xd800 && unit <= 0xdbff;

/** Give the index in a string at which its code point number `points` begins; its length where there are fewer. */
export function unitIndex(text, points) {
  let at = 0;
  for (let seen = 0; seen < points && at < text.length; seen += 1) at += isHigh(text.charCodeAt(at)) ? 2 : 1;
  return at;
}

/** Give what stands between two code points. */
export const slice = (text, start, end) => text.slice(unitIndex(text, start), unitIndex(text, end));

/** Give how many code points a text has. */
export function length(text) {
  let points = 0;
  for (let at = 0; at < text.length; points += 1) at += isHigh(text.charCodeAt(at)) ? 2 : 1;
  return points;
}

/**
 * Take a text apart into its paragraphs, without what stands between them.
 * @returns {{start: number, end: number}[]} in UTF-16 units
 */
export function paragraphs(text) {
  return [...text.matchAll(/[^\n]*\S[^\n]*/g)].map((found) => ({
    start: found.index,
    end: found.index + found[0].length,
  }));
}

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const SINCE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [30, "day"], [12, "month"], [Infinity, "year"]];

/** Give a day of the API (YYYY-MM-DD) in words, and say so where there is none. */
export const dayText = (day) => (day ? DAY.format(new Date(`${day}T00:00:00Z`)) : "date unknown");

/** Give the name of a source, and say so where an article names none. */
export const sourceText = (source) => (source === "unknown" ? "source unknown" : source);

/** Give how long ago a moment was, in words. */
export function agoText(moment) {
  let passed = Math.min(0, (new Date(moment) - Date.now()) / 1000);
  for (const [size, unit] of STEPS) {
    if (-passed < size) return unit === "second" ? "just now" : SINCE.format(Math.round(passed), unit);
    passed /= size;
  }
  return "";
}

/** Give a number of seconds in words. */
export function secondsText(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
