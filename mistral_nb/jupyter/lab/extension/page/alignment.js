// @ts-check
// Shows in an open document what was saved: the marker in the place of a key.
//
// Only what differs in keys alone is changed, so typing since the save is never lost; and its undo history is cleared,
// since an undo would take the text around the marker away and leave the marker.

import { findCell, hasFocus, isNotebook } from "./open_documents.js";
import { findEdits, isOnlyRedacted, joinLines } from "./removed_text.js";

/** @typedef {import("./open_documents.js").DocumentWidget} DocumentWidget */
/** @typedef {import("./open_documents.js").NotebookPanel} NotebookPanel */
/** @typedef {import("@jupyterlab/cells").ICellModel} CellModel */
/** @typedef {import("./removed_text.js").KeyEnd & {cell: number | null, cell_id: string | null}} RemovedKey */
/** @typedef {{id?: string, source: string | string[], outputs?: unknown[]}} SavedCell */
/** @typedef {{getSource(): string, updateSource(start: number, end: number, text: string): void,
 *   transact(change: () => void, undoable: boolean): void, clearUndoHistory(): void}} SharedText */

/**
 * Bring a document in line with what was saved.
 *
 * @param {DocumentWidget[]} widgets its views in this page, one at least
 * @param {unknown} saved its content, as the contents API has it
 * @param {RemovedKey[]} keys what was removed from it
 * @param {{evenWithFocus: boolean}} options whether that includes the cell or file that the person is typing in
 * @returns {boolean} whether something is left to do: it has the focus, or was changed since
 */
export function alignDocument(widgets, saved, keys, { evenWithFocus }) {
  const [first] = widgets;
  const { model } = first.context;
  const wasDirty = model.dirty;
  const isFree = (/** @type {CellModel | null} */ cell) =>
    evenWithFocus || !widgets.some((widget) => hasFocus(cell ? findEditor(widget, cell) : widget));
  let left = false;
  if (isNotebook(first)) {
    for (const [cell, savedCell] of pairCells(first, /** @type {{cells?: SavedCell[]}} */ (saved).cells ?? [], keys)) {
      left = !alignText(cell.sharedModel, joinLines(savedCell.source), keys, () => isFree(cell)) || left;
      alignOutputs(cell, savedCell.outputs ?? [], keys.filter((key) => !key.stays));
    }
  } else {
    const text = /** @type {SharedText} */ (/** @type {unknown} */ (model.sharedModel));
    left = !alignText(text, String(saved), keys, () => isFree(null));
  }
  if (!wasDirty && model.dirty) {
    model.dirty = false; // it is what is on disk now
  }
  return left;
}

/**
 * The cells that a key was removed from, each with what was saved of it: by its id, else by its number.
 *
 * @param {NotebookPanel} panel
 * @param {SavedCell[]} saved
 * @param {RemovedKey[]} keys
 * @returns {[CellModel, SavedCell][]}
 */
function pairCells(panel, saved, keys) {
  const cells = [...(panel.content.model?.cells ?? [])];
  /** @type {Map<CellModel, SavedCell>} */
  const pairs = new Map();
  for (const key of keys) {
    const [cell, savedCell] = [findCell(cells, key), findCell(saved, key)];
    if (cell && savedCell) {
      pairs.set(cell, savedCell);
    }
  }
  return [...pairs];
}

/**
 * @param {SharedText} text
 * @param {string} saved
 * @param {RemovedKey[]} keys
 * @param {() => boolean} isFree
 * @returns {boolean} whether it is in line now
 */
function alignText(text, saved, keys, isFree) {
  const edits = findEdits(text.getSource(), saved, keys);
  if (edits === null || (edits.length > 0 && !isFree())) {
    return false;
  }
  if (edits.length > 0) {
    const change = () => edits.reverse().forEach((edit) => text.updateSource(edit.start, edit.end, edit.text));
    text.transact(change, false);
    text.clearUndoHistory();
  }
  return true;
}

/**
 * Nobody types in outputs, so the focus does not matter.
 *
 * @param {CellModel} cell
 * @param {unknown[]} saved
 * @param {RemovedKey[]} keys
 */
function alignOutputs(cell, saved, keys) {
  if (cell.type !== "code") {
    return;
  }
  const { outputs } = /** @type {import("@jupyterlab/cells").ICodeCellModel} */ (cell);
  for (const [index, output] of saved.slice(0, outputs.length).entries()) {
    if (isOnlyRedacted(outputs.get(index).toJSON(), output, keys)) {
      outputs.set(index, /** @type {import("@jupyterlab/nbformat").IOutput} */ (output));
    }
  }
}

/** @param {DocumentWidget} widget @param {CellModel} cell */
function findEditor(widget, cell) {
  const widgets = isNotebook(widget) ? widget.content.widgets : [];
  return widgets.find((one) => one.model === cell)?.editorWidget;
}
