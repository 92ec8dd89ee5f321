// @ts-check
// Where a saved text differs from the one in an editor: in markers, and in nothing else.

export const MARKER = "[MISTRAL_API_KEY redacted]";

const KEY_CHARACTERS = /[\w-]/g;
export const STANDARD = 32; // characters of a key as Mistral makes them

/** @typedef {{start: number, end: number, text: string}} Edit `text` in the place of what is there */
/**
 * @typedef {object} KeyEnd a removed key
 * @property {string} tail its last characters
 * @property {number} length how many it has: 0 if that is not known
 * @property {boolean} [stays] whether the editor keeps it, as its only copy
 */

/**
 * The edits that make `current` what was saved, but for keys that stay; null if they differ in anything but a key.
 *
 * @param {string} current
 * @param {string} saved
 * @param {KeyEnd[]} keys what was removed
 * @returns {Edit[] | null}
 */
export function findEdits(current, saved, keys) {
  if (current === saved) {
    return [];
  }
  return findWholeKeys(current, saved.split(MARKER), keys) ?? findWrappedKey(current, saved, keys);
}

/**
 * Keys that were written in one piece.
 *
 * @param {string} current
 * @param {string[]} pieces what was saved, between the markers
 * @param {KeyEnd[]} keys
 */
function findWholeKeys(current, [first, ...pieces], keys) {
  if (!current.startsWith(first)) {
    return null;
  }
  /** @type {Edit[]} */
  const edits = [];
  let start = first.length;
  for (const piece of pieces) {
    const fits = (/** @type {number} */ length) => current.startsWith(piece, start + length);
    const key = keys.find((one) => fits(lengthOf(one)) && isKey(current.slice(start, start + lengthOf(one)), one));
    if (key) {
      if (!key.stays) {
        edits.push({ start, end: start + lengthOf(key), text: MARKER });
      }
      start += lengthOf(key) + piece.length;
    } else if (current.startsWith(MARKER, start) && fits(MARKER.length)) {
      start += MARKER.length + piece.length;
    } else {
      return null;
    }
  }
  return start === current.length ? edits : null;
}

/**
 * One key that was wrapped over lines. What stands between its parts stays.
 *
 * @param {string} current
 * @param {string} saved
 * @param {KeyEnd[]} keys
 */
function findWrappedKey(current, saved, keys) {
  const most = Math.min(current.length, saved.length);
  let start = 0;
  while (start < most && current[start] === saved[start]) {
    start++;
  }
  let after = 0;
  while (after < most - start && current.at(-1 - after) === saved.at(-1 - after)) {
    after++;
  }
  const end = current.length - after;
  const text = saved.slice(start, saved.length - after);
  const found = current.slice(start, end);
  const isSame = found.replace(KEY_CHARACTERS, "") === text.replace(MARKER, "");
  const key = (found.match(KEY_CHARACTERS) ?? []).join("");
  const removed = isSame && keys.find((one) => isKey(key, one));
  return removed ? (removed.stays ? [] : [{ start, end, text }]) : null;
}

/** @param {KeyEnd} key */
function lengthOf(key) {
  return key.length || STANDARD;
}

/** @param {string} text @param {KeyEnd} key */
function isKey(text, key) {
  return key.tail !== "" && text.endsWith(key.tail) && text.length === lengthOf(key);
}

/**
 * Whether a JSON value differs from the saved one in keys only, and in one at least.
 *
 * @param {unknown} current
 * @param {unknown} saved
 * @param {KeyEnd[]} keys
 */
export function isOnlyRedacted(current, saved, keys) {
  let edits = 0;
  /** @type {(current: unknown, saved: unknown) => boolean} */
  const compare = (mine, theirs) => {
    if (typeof mine === "string" || isLines(mine)) {
      const found = typeof theirs === "string" || isLines(theirs) ? findEdits(joinLines(mine), joinLines(theirs), keys) : null;
      edits += found?.length ?? 0;
      return found !== null;
    }
    if (mine === null || theirs === null || typeof mine !== "object" || typeof theirs !== "object") {
      return mine === theirs;
    }
    const others = /** @type {Record<string, unknown>} */ (theirs);
    return (
      Array.isArray(mine) === Array.isArray(theirs) &&
      Object.keys(mine).length === Object.keys(theirs).length &&
      Object.entries(mine).every(([name, value]) => Object.hasOwn(others, name) && compare(value, others[name]))
    );
  };
  return compare(current, saved) && edits > 0;
}

/** @param {unknown} value @returns {value is string[]} a text as nbformat may write it: a list of lines */
function isLines(value) {
  return Array.isArray(value) && value.length > 0 && value.every((line) => typeof line === "string");
}

/** @param {string | string[]} text */
export function joinLines(text) {
  return typeof text === "string" ? text : text.join("");
}
