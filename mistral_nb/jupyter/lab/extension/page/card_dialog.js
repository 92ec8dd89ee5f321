// @ts-check
// The card of %mistral_key in a dialog: card.js as it is in a cell, its messages carried by a notebook's link.

import { Card } from "./card.js";
import { make } from "./dialogs.js";

const LOST = "The kernel does not respond. Close this, and try again when it is idle.";
const WORDS = { restarted: LOST, earlier: LOST, slow: "No response yet. The kernel may be busy." };
const STYLE = new URL("card.css", import.meta.url).href;
const SELECTOR = ".mistral-nb-card .card"; // has the focus until the card shows its form

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("./kernel_link.js").KernelLink} KernelLink */
/** @typedef {import("./kernel_link.js").Outcome} Outcome */
/** @typedef {import("./kernel_link.js").Data} Data */

/**
 * Ask for a key, and have it kept as `%mistral_key login` does.
 *
 * @param {Packages} packages
 * @param {KernelLink} link one to which a key can be given
 * @returns {Promise<Outcome>} `cancelled` without a text if the person has closed the dialog
 */
export async function enterInDialog({ apputils, widgets }, link) {
  await loadStyle();
  const place = make("div", {});
  const end = make("div", { tabindex: "0" });
  const node = make("div", { style: "width: 34em; max-width: 75vw" }, place, end);
  const dialog = new apputils.Dialog({
    title: "Mistral API key",
    body: new widgets.Widget({ node }),
    buttons: [],
    focusNodeSelector: SELECTOR,
  });
  const model = new LinkModel(() => dialog.reject());
  /** @type {Card | null} */
  let card = null;
  const outcome = link.enter({
    opened: (send) => {
      model.deliver = send;
      card = new Card(model, place, WORDS);
    },
    card: (message) => model.take(message),
  });
  const stop = keepFocusIn(dialog.node, end);
  const closed = dialog.launch().then(() => null);
  const ended = await Promise.race([outcome, closed]);
  stop();
  if (ended === null && !model.isCancelled) {
    model.send({ kind: "cancel" });
  }
  /** @type {Card | null} */ (card)?.stop();
  dialog.reject();
  return ended ?? outcome.then((late) => (late.kind === "cancelled" ? { ...late, text: "" } : late));
}

/** What the card takes for an anywidget's model. */
class LinkModel {
  /** @param {() => void} close the dialog, when the person cancels */
  constructor(close) {
    this.close = close;
    this.isCancelled = false;
    this.deliver = (/** @type {Data} */ _message) => {};
    /** @type {((message: Data) => void) | null} */
    this.heard = null;
  }

  /** @param {Data} message to the kernel */
  send(message) {
    this.deliver(message);
    if (message.kind === "cancel") {
      this.isCancelled = true;
      this.close();
    }
  }

  /** @param {Data} message of the kernel */
  take(message) {
    this.heard?.(message);
  }

  /** @param {string} event @param {(message: Data) => void} callback */
  on(event, callback) {
    if (event === "msg:custom") {
      this.heard = callback;
    }
  }

  /** @param {string} event */
  off(event) {
    if (event === "msg:custom") {
      this.heard = null;
    }
  }
}

/**
 * The card keeps its keys to itself, so JupyterLab's dialog does not see that Tab leaves it.
 *
 * @param {HTMLElement} dialog
 * @param {HTMLElement} end what has the focus after its last button
 * @returns {() => void} ends that
 */
function keepFocusIn(dialog, end) {
  const bringBack = (/** @type {FocusEvent} */ { target }) => {
    if (target === end || (target instanceof Node && !dialog.contains(target))) {
      /** @type {HTMLElement | null} */ (dialog.querySelector("input:not([disabled]), button"))?.focus();
    }
  };
  document.addEventListener("focusin", bringBack);
  return () => document.removeEventListener("focusin", bringBack);
}

/** @returns {Promise<unknown>} when it is loaded, or can't be */
async function loadStyle() {
  if (document.querySelector(`link[href="${STYLE}"]`)) {
    return;
  }
  const style = make("link", { rel: "stylesheet", href: STYLE });
  const loaded = new Promise((resolve) => ["load", "error"].forEach((event) => style.addEventListener(event, resolve)));
  document.head.append(style);
  await loaded;
}
