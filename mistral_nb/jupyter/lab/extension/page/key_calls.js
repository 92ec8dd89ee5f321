// @ts-check
// A literal in Python code, replaced by a call that gets the key from its store: a marker would only be refused.

import { MARKER } from "./removed_text.js";
import { findCell, isNotebook } from "./open_documents.js";

/** @typedef {import("./open_documents.js").DocumentWidget} DocumentWidget */
/** @typedef {import("./alignment.js").SharedText} SharedText */
/** @typedef {{cell: number | null, cell_id: string | null, place: string}} Place */
/** @typedef {{before: string, nth: number}} Literal which one: the text before it on its line, and how many such are above it */

const MARKED = MARKER.replace(/[[\]]/g, "\\$&");
const LITERALS = new RegExp(`(?<![\\w"'])(["'])([\\w-]{16,128}|${MARKED})\\1(?!["'])`, "g");
const IMPORT = /^\s*import +mistral_nb\b/m;
// What must stay above an import: a cell magic, comments, a docstring, imports from __future__.
const CELL_MAGIC = /^%%.*\n?/;
const FIRST_COMMENTS = /^(?:#!.*\n?)?(?:#.*coding.*\n?)?/;
const SKIPPED = "(?:[ \\t]*(?:#.*)?\\n)*";
const DOCSTRING = new RegExp(`^${SKIPPED}[rRuU]?(?:"""[^]*?"""|'''[^]*?'''|"[^"\\n]*"|'[^'\\n]*')[ \\t]*(?:#.*)?(?:\\n|$)`);
const FUTURE = new RegExp(`^(?:${SKIPPED}from +__future__ +import +(?:\\([^)]*\\).*|.*)(?:\\n|$))+`);

/** @param {string} workspace */
export function formatCall(workspace) {
  return `mistral_nb.key(${JSON.stringify(workspace)})`;
}

/**
 * Where `import mistral_nb` is to be inserted, and as what; null if the source has it.
 *
 * @param {string} source of Python
 */
export function findImportPlace(source) {
  if (IMPORT.test(source)) {
    return null;
  }
  let start = 0;
  for (const part of [CELL_MAGIC, FIRST_COMMENTS, DOCSTRING, FUTURE]) {
    start += part.exec(source.slice(start))?.[0].length ?? 0;
  }
  const isLineStart = start === 0 || source[start - 1] === "\n";
  return { start, text: `${isLineStart ? "" : "\n"}import mistral_nb\n` };
}

/**
 * The Python text that a key was removed from; null where there is none, as in an output or in another language.
 *
 * @param {DocumentWidget} widget
 * @param {Place} place
 * @returns {SharedText | null}
 */
export function findCode(widget, place) {
  if (!isNotebook(widget)) {
    const text = /** @type {unknown} */ (widget.context.model.sharedModel);
    return widget.context.path.endsWith(".py") ? /** @type {SharedText} */ (text) : null;
  }
  const cell = findCell([...(widget.content.model?.cells ?? [])], place);
  const language = widget.content.model?.defaultKernelLanguage || "python";
  const isCode = cell?.type === "code" && place.place === "source" && language === "python";
  return isCode && !cell.sharedModel.getSource().startsWith("%%") ? cell.sharedModel : null;
}

/**
 * The literal that is a key with this tail; else the marker, if there is one alone: of several nobody knows whose they were.
 *
 * @param {string} source
 * @param {string} tail
 * @returns {Literal | null}
 */
export function findLiteral(source, tail) {
  const literals = listLiterals(source);
  const markers = literals.filter(({ text }) => text === MARKER);
  const found = literals.find(({ text }) => text.endsWith(tail)) ?? (markers.length === 1 ? markers[0] : undefined);
  return found ? { before: found.before, nth: found.nth } : null;
}

/**
 * Put the call where the marker has taken a literal's place; the person can undo it, which brings the marker back.
 *
 * @param {SharedText} text
 * @param {string} workspace
 * @param {Literal} literal as it was found when it still was a key
 * @returns {boolean} whether it is there still
 */
export function insertCall(text, workspace, { before, nth }) {
  const found = listLiterals(text.getSource()).find((one) => one.before === before && one.nth === nth);
  if (found?.text !== MARKER) {
    return false;
  }
  text.transact(() => {
    text.updateSource(found.start, found.end, formatCall(workspace));
    const place = findImportPlace(text.getSource());
    if (place) {
      text.updateSource(place.start, place.start, place.text);
    }
  }, true);
  return true;
}

/**
 * Literals that are markers, or as long as keys are.
 *
 * @param {string} source
 */
function listLiterals(source) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return [...source.matchAll(LITERALS)].map(({ index, 0: whole, 2: text }) => {
    const line = source.slice(source.lastIndexOf("\n", index) + 1, index);
    const before = line.replace(LITERALS, '""'); // the same before and after a marker takes a key's place
    const nth = seen.get(before) ?? 0;
    seen.set(before, nth + 1);
    return { start: index, end: index + whole.length, text, before, nth };
  });
}
