// @ts-check
// The notebooks and files that are open in this page.

/** @typedef {import("@jupyterlab/application").JupyterFrontEnd} App */
/** @typedef {import("@jupyterlab/docregistry").DocumentRegistry.IContext<import("@jupyterlab/docregistry").DocumentRegistry.IModel>} Context */
/** @typedef {import("@jupyterlab/docregistry").IDocumentWidget<import("@lumino/widgets").Widget>} DocumentWidget */
/** @typedef {import("@jupyterlab/notebook").NotebookPanel} NotebookPanel */

const OWN_DRIVES = ["", "RTC"]; // the server's files, and the same with jupyter-collaboration

/**
 * Every view of the document at a path, as the server's contents API names it.
 *
 * @param {App} app
 * @param {string} path
 * @returns {DocumentWidget[]}
 */
export function findDocuments(app, path) {
  const { contents } = app.serviceManager;
  return listDocuments(app).filter(
    ({ context }) =>
      OWN_DRIVES.includes(contents.driveName(context.path)) && contents.localPath(context.path) === path,
  );
}

/**
 * @param {App} app
 * @returns {DocumentWidget[]}
 */
export function listDocuments(app) {
  const widgets = /** @type {DocumentWidget[]} */ ([...app.shell.widgets("main")]);
  return widgets.filter((widget) => widget.context?.model && typeof widget.context.path === "string");
}

/**
 * @param {DocumentWidget} widget
 * @returns {widget is NotebookPanel}
 */
export function isNotebook(widget) {
  return "cells" in widget.context.model;
}

/**
 * The cell that a place names: by its id, else by its number from 1.
 *
 * @template {{id?: string}} T
 * @param {T[]} cells
 * @param {{cell: number | null, cell_id: string | null}} place
 * @returns {T | undefined}
 */
export function findCell(cells, { cell, cell_id: id }) {
  return id ? cells.find((one) => one.id === id) : cells[(cell ?? 0) - 1];
}

/**
 * Whether the person's cursor is in this part of the page.
 *
 * @param {{node: HTMLElement} | null | undefined} part
 */
export function hasFocus(part) {
  return part?.node.contains(document.activeElement) ?? false;
}

/**
 * Show a notebook's cell, or a line of a file; opens the document if it is not.
 *
 * @param {App} app
 * @param {string} path
 * @param {{cell_id: string | null, cell: number | null, line: number | null}} place cell and line from 1
 */
export async function showPlace(app, path, place) {
  if (findDocuments(app, path).length === 0) {
    await app.commands.execute("docmanager:open", { path });
  }
  const [widget] = findDocuments(app, path);
  if (widget === undefined) {
    return; // Notebook opens it in another page
  }
  await widget.context.ready;
  app.shell.activateById(widget.id);
  if (isNotebook(widget)) {
    showCell(widget, place);
  } else if (place.line !== null) {
    const position = { line: place.line - 1, column: 0 };
    const { editor } = /** @type {{editor?: import("@jupyterlab/codeeditor").CodeEditor.IEditor}} */ (
      /** @type {unknown} */ (widget.content)
    );
    editor?.setCursorPosition(position);
    editor?.revealPosition(position);
  }
}

/**
 * @param {NotebookPanel} panel
 * @param {{cell_id: string | null, cell: number | null}} place
 */
function showCell(panel, place) {
  const found = panel.content.widgets.findIndex((cell) => place.cell_id && cell.model.id === place.cell_id);
  const index = found >= 0 ? found : (place.cell ?? 0) - 1;
  if (index >= 0 && index < panel.content.widgets.length) {
    panel.content.activeCellIndex = index;
    void panel.content.scrollToItem(index);
  }
}
