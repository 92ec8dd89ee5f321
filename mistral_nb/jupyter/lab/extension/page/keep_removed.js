// @ts-check
// Stores a key that a save took out of an open document: by its id where it is set aside, else from the editor.

import { choose, makeText } from "./dialogs.js";
import { detailsOf, runWithNotice } from "./keep_key.js";
import { linkFor } from "./kernel_link.js";
import { IN_MEMORY, SET_ASIDE, STORED } from "./key_copies.js";
import { findCell, isNotebook, listDocuments } from "./open_documents.js";
import { STANDARD } from "./removed_text.js";
import { serverFacts } from "./server_facts.js";

const WORD = /[\w-]{16,128}/g;
const NO_NOTEBOOK = "No notebook is open here whose kernel could store it. Open one, and run %load_ext mistral_nb in it.";

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("./open_documents.js").App} App */
/** @typedef {import("./open_documents.js").DocumentWidget} DocumentWidget */
/** @typedef {import("./open_documents.js").NotebookPanel} NotebookPanel */
/** @typedef {import("./kernel_link.js").Outcome} Outcome */
/** @typedef {import("./kernel_link.js").KernelLink} KernelLink */
/** @typedef {import("./removals.js").Removed} Removed */

/**
 * Asks the kernel to store the key, and shows in a notice how that went.
 *
 * @param {Packages} packages
 * @param {App} app
 * @param {DocumentWidget | undefined} widget the document, if it is open
 * @param {Removed} key
 * @param {(outcome: Outcome) => {label: string, callback: () => void}[]} offers what can be done after it succeeded
 * @returns {Promise<Outcome | null>} null if nothing could be asked
 */
export async function keepRemoved(packages, app, widget, key, offers) {
  const server = serverFacts(app, packages);
  const answer = key.kept === IN_MEMORY ? await server.keep(key.aside_id) : null;
  if (answer?.kept === STORED) {
    packages.apputils.Notification.info(answer.text, { autoClose: 20_000 });
    return null;
  }
  if (answer?.kept === SET_ASIDE) {
    key.kept = SET_ASIDE;
  }
  const panel = await findNotebook(app, widget);
  const link = panel && linkFor(panel);
  if (panel && link && !link.problem()) {
    if (panel !== widget && !(await confirmNotebook(packages, panel, link, key))) {
      return null;
    }
    const isSetAsideHere = key.kept === SET_ASIDE && link.state?.home === server.facts.home;
    if (isSetAsideHere) {
      return runWithNotice(packages, link, (talk) => link.keepAside(key.aside_id, "", talk), offers);
    }
    const text = widget && findKeyText(widget, key);
    if (text && !link.keepProblem()) {
      return runWithNotice(packages, link, (talk) => link.keep(text, "", talk), offers);
    }
  }
  const missing = link?.keepProblem() || (link ? `…${key.tail} is not in the document any more.` : NO_NOTEBOOK);
  const otherwise = key.kept === SET_ASIDE ? " Or run in a terminal: mistral-nb login --from-aside" : "";
  const sentences = [answer?.text ?? "", missing + otherwise].filter(Boolean);
  const actions = detailsOf(packages, sentences);
  packages.apputils.Notification.warning(sentences.join(" "), { autoClose: false, actions });
  return null;
}

/**
 * This notebook, or for a file one whose kernel is ready: of several the one that is seen.
 *
 * @param {App} app
 * @param {DocumentWidget | undefined} widget
 * @returns {Promise<NotebookPanel | undefined>}
 */
async function findNotebook(app, widget) {
  const panels = widget && isNotebook(widget) ? [widget] : listDocuments(app).filter(isNotebook);
  await Promise.all(panels.map((panel) => linkFor(panel).found()));
  const ready = panels.filter((panel) => linkFor(panel).reach === "ready");
  return ready.find((panel) => panel.isVisible) ?? ready[0] ?? panels[0];
}

/**
 * A file has no kernel: the person is told which one gets its key, and where that stores it.
 *
 * @param {Packages} packages
 * @param {NotebookPanel} panel
 * @param {KernelLink} link
 * @param {Removed} key
 */
async function confirmNotebook(packages, panel, link, key) {
  const machine = link.state ? `: on ${link.state.machine}` : "";
  const node = makeText([
    `A file has no kernel. That of ${panel.context.path} would check …${key.tail} with Mistral and store it where it runs${machine}.`,
  ]);
  return choose(packages, `Keep …${key.tail} by another notebook's kernel?`, node, [{ label: "Keep it", action: "keep", isMain: true }]);
}

/**
 * The key in the place that it was removed from; null if it is not there any more.
 *
 * @param {DocumentWidget} widget
 * @param {Removed} key
 * @returns {string | null}
 */
function findKeyText(widget, key) {
  const words = textsOf(widget, key).flatMap((text) => text.match(WORD) ?? []);
  const found = words.filter((word) => word.endsWith(key.tail));
  return found.find((word) => word.length === STANDARD) ?? found[0] ?? null;
}

/**
 * @param {DocumentWidget} widget
 * @param {Removed} key
 * @returns {string[]}
 */
function textsOf(widget, key) {
  if (!isNotebook(widget)) {
    return [widget.context.model.toString()];
  }
  const cell = findCell([...(widget.content.model?.cells ?? [])], key);
  return cell ? [cell.sharedModel.getSource(), ...collectTexts(cell.toJSON())] : [];
}

/**
 * @param {unknown} value of JSON
 * @returns {string[]}
 */
function collectTexts(value) {
  if (typeof value === "string") {
    return [value];
  }
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(collectTexts) : [];
}
