// @ts-check
// A key is given to a notebook's kernel to keep, with one notice that says how it goes.

import { askQuestion, makeText, show } from "./dialogs.js";

const SECONDS = 20; // how long the result stays
const NOTICE = 140; // characters: JupyterLab cuts what is longer
const MAGIC = /^\s*%mistral_key\b/m;
const LOADS = /^\s*%(?:re)?load_ext\s+mistral_nb\b/m;

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("./kernel_link.js").KernelLink} KernelLink */
/** @typedef {import("./kernel_link.js").Outcome} Outcome */
/** @typedef {import("./kernel_link.js").Talk} Talk */
/** @typedef {import("@jupyterlab/notebook").NotebookPanel} NotebookPanel */

/**
 * Run a request of a link, and show its steps and its end in one notice.
 *
 * @param {Packages} packages
 * @param {KernelLink} link
 * @param {(talk: Talk) => Promise<Outcome>} run
 * @param {(outcome: Outcome) => {label: string, callback: () => void}[]} [offers] what can be done after it succeeded
 * @returns {Promise<Outcome>}
 */
export async function runWithNotice(packages, link, run, offers = () => []) {
  const { Notification } = packages.apputils;
  const problem = link.problem();
  if (problem) {
    Notification.error(problem, { autoClose: false });
    return { kind: "failed", text: problem, isStored: false, notes: [], rows: [] };
  }
  const begin = link.mustWait ? "Sent to the kernel, which reads it when the running cell is done …" : "Sent to the kernel …";
  const id = Notification.emit(begin, "in-progress", { autoClose: false });
  const outcome = await run({
    step: (text) => Notification.update({ id, message: text }),
    ask: (question) => askQuestion(packages, question),
  });
  Notification.update({ id, ...describeEnd(packages, outcome, offers) });
  return outcome;
}

/**
 * The notice of how a request ended.
 *
 * @param {Packages} packages
 * @param {Outcome} outcome
 * @param {(outcome: Outcome) => {label: string, callback: () => void}[]} [offers]
 */
export function describeEnd(packages, outcome, offers = () => []) {
  const isDone = outcome.kind === "done";
  const message = [outcome.text, ...outcome.notes].join(" ") || "Cancelled; nothing was changed.";
  /** @type {"success" | "info" | "error"} */
  const type = isDone ? "success" : outcome.kind === "cancelled" ? "info" : "error";
  const actions = [...(isDone ? offers(outcome) : []), ...detailsOf(packages, [outcome.text, ...outcome.notes])];
  /** @type {number | false} */
  const autoClose = isDone && SECONDS * 1000;
  return { message, type, autoClose, actions };
}

/**
 * A notice's action that shows the whole of it, if it is cut.
 *
 * @param {Packages} packages
 * @param {string[]} sentences
 */
export function detailsOf(packages, sentences) {
  const isCut = sentences.join(" ").length > NOTICE;
  return isCut ? [{ label: "Details", callback: () => void show(packages, "Mistral key", makeText(sentences)) }] : [];
}

/**
 * Put a cell that sets this workspace's key above the active one, unless the notebook has such a cell.
 *
 * @param {NotebookPanel} panel
 * @param {string} workspace
 */
export function insertMagicCell(panel, workspace) {
  const model = panel.content.model;
  if (!model) {
    return;
  }
  const sources = [...model.cells].map((cell) => cell.sharedModel.getSource());
  if (sources.some((source) => MAGIC.test(source))) {
    return;
  }
  const load = sources.some((source) => LOADS.test(source)) ? "" : "%load_ext mistral_nb\n";
  const source = `${load}%mistral_key ${workspace}`;
  model.sharedModel.insertCell(Math.max(panel.content.activeCellIndex, 0), { cell_type: "code", source, metadata: {} });
}
