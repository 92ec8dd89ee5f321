// @ts-check
// After a save that removed a key: one notice a path, and the open document in line with what was saved.
// A key that is only suspected stays in a text file: one notice of its own.

import { alignDocument } from "./alignment.js";
import { dismissEarly } from "./early_notices.js";
import { keepRemoved } from "./keep_removed.js";
import { IN_MEMORY, SET_ASIDE, STORED } from "./key_copies.js";
import { findCode, findLiteral, formatCall, insertCall } from "./key_calls.js";
import { findDocuments, isNotebook, listDocuments, showPlace } from "./open_documents.js";
import { loadSettings } from "./settings.js";

const EVENT = "https://mistral-nb.invalid/removed/v1"; // as in events.py
const ONE_DOCUMENT = "Jupyter Notebook"; // the front end whose pages have one document each
const SECONDS = 20; // how long a notice stays that nothing depends on

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("./open_documents.js").App} App */
/** @typedef {import("./open_documents.js").DocumentWidget} DocumentWidget */
/** @typedef {import("@jupyterlab/apputils").Notification.IAction} NoticeAction */
/**
 * @typedef {object} Removed a key in one place
 * @property {string} tail
 * @property {number} length 0 if it is not known
 * @property {string} kept
 * @property {string} aside_id
 * @property {string} workspace
 * @property {number | null} cell
 * @property {string | null} cell_id
 * @property {string} place
 * @property {number | null} line
 */
/** @typedef {{path: string, name: string, message: string, left?: boolean, keys: Removed[]}} Removal left: the keys are in the file still */
/** @typedef {{id: string, signature: string, tails: string[]}} Shown */

/**
 * @param {Packages} packages
 * @returns {import("@jupyterlab/application").JupyterFrontEndPlugin<void>}
 */
export function removalsPlugin(packages) {
  return {
    id: "mistral-nb:removals",
    description: "Tells which keys a save removed, and shows in the open document what was saved.",
    autoStart: true,
    optional: [packages.settingregistry.ISettingRegistry],
    activate: (app, registry) => {
      const settings = loadSettings(/** @type {import("./settings.js").SettingRegistry | null} */ (registry));
      const removals = new Removals(app, packages);
      app.serviceManager.events.stream.connect((_, event) => {
        if (event.schema_id === EVENT) {
          const removal = /** @type {Removal} */ (/** @type {unknown} */ (event));
          void settings.then((isOn) => removals.take(removal, isOn));
        }
      });
      document.addEventListener("focusout", () => setTimeout(() => removals.alignWaiting()));
    },
  };
}

class Removals {
  /**
   * @param {App} app
   * @param {Packages} packages
   */
  constructor(app, packages) {
    this.app = app;
    this.packages = packages;
    this.notification = packages.apputils.Notification;
    /** @type {Map<string, Shown>} by path, of keys that are left by that in words */
    this.shown = new Map();
    /** @type {Map<string, {saved: unknown, keys: (Removed & {stays: boolean})[]}>} what waits until its cell has lost the focus, by path */
    this.waiting = new Map();
  }

  /**
   * @param {Removal} removal
   * @param {(setting: string) => boolean} isOn
   */
  async take(removal, isOn) {
    const widgets = findDocuments(this.app, removal.path);
    if (widgets.length === 0 && this.app.name === ONE_DOCUMENT && listDocuments(this.app).length > 0) {
      return; // it is another page's document
    }
    if (removal.left) {
      if (isOn("notices") && widgets.length > 0) {
        this.tell(removal, widgets, false);
      }
      return;
    }
    const isByItself = isOn("alignment") && !isShared(widgets[0]);
    const isStored = (/** @type {Removed} */ key) => key.kept === STORED;
    if (isOn("notices")) {
      const byHand = removal.keys.some((key) => key.kept !== IN_MEMORY && !(isByItself && isStored(key)));
      this.tell(removal, widgets, byHand);
    }
    if (isByItself && removal.keys.some(isStored)) {
      await this.align(removal, isStored, false);
    }
  }

  /**
   * Show the notice, or update the one there is; not again what was told before.
   *
   * @param {Removal} removal
   * @param {DocumentWidget[]} widgets
   * @param {boolean} byHand whether a marker is to be put into the document by hand
   */
  tell(removal, widgets, byHand) {
    const signature = JSON.stringify(
      removal.keys.map((key) => [key.tail, key.cell_id ?? key.cell, key.place, key.kept, removal.left && key.line]),
    );
    const tails = removal.keys.map((key) => key.tail);
    const subject = removal.left ? `left in ${removal.path}` : removal.path;
    const before = this.shown.get(subject);
    const isCheckpoint = removal.name !== removal.path;
    if (before && (before.signature === signature || (isCheckpoint && tails.every((tail) => before.tails.includes(tail))))) {
      return;
    }
    const isSafe = removal.keys.every((key) => [STORED, SET_ASIDE].includes(key.kept));
    /** @type {{autoClose: number | false, actions: NoticeAction[]}} */
    const options = { autoClose: isSafe && SECONDS * 1000, actions: this.makeActions(removal, widgets, byHand) };
    const type = isSafe ? "info" : "warning";
    let id = before?.id ?? "";
    if (!this.notification.update({ id, message: removal.message, type, ...options })) {
      if (removal.left && before && tails.every((tail) => before.tails.includes(tail))) {
        return; // the person has closed it, and since then only a line has changed
      }
      id = this.notification.emit(removal.message, type, options);
    }
    dismissEarly(this.notification, removal.path, tails);
    this.shown.set(subject, { id, signature, tails });
  }

  /**
   * @param {Removal} removal
   * @param {DocumentWidget[]} widgets
   * @param {boolean} byHand
   * @returns {NoticeAction[]}
   */
  makeActions(removal, widgets, byHand) {
    /** @type {NoticeAction[]} */
    const actions = [];
    const [first] = widgets;
    const place = removal.keys.find((key) => key.cell !== null || key.line !== null);
    const code = removal.keys.find((key) => key.kept === STORED && key.workspace && first && literalAt(first, key));
    const literal = code && literalAt(first, code);
    if (literal) {
      const callback = () => this.useCall(removal, code, literal);
      actions.push({ label: `Use ${formatCall(code.workspace)}`, displayType: "accent", callback });
    }
    const lost = removal.keys.filter((key) => key.kept !== STORED && (first || [SET_ASIDE, IN_MEMORY].includes(key.kept)));
    for (const key of new Map(lost.map((one) => [one.tail, one])).values()) {
      const label = lost.every(({ tail }) => tail === key.tail) ? "Keep it" : `Keep …${key.tail}`;
      actions.push({ label, displayType: "accent", callback: () => this.keep(removal, key) });
    }
    if (first && byHand) {
      const caption = `Put the marker in the key's place in the open ${isNotebook(first) ? "notebook" : "file"}`;
      actions.push({ label: "Insert marker", caption, callback: () => this.putMarker(removal) });
    }
    if (place) {
      const callback = (/** @type {MouseEvent} */ event) => {
        event.preventDefault(); // the notice stays
        showPlace(this.app, removal.path, place).catch(() => undefined); // JupyterLab says that it can't be opened
      };
      actions.push({ label: "Show", callback });
    }
    return actions;
  }

  /** @param {Removal} removal */
  async putMarker(removal) {
    if (await this.align(removal, (key) => key.kept !== IN_MEMORY, true)) {
      this.tellChanged(removal);
    }
  }

  /** @param {Removal} removal */
  tellChanged({ path }) {
    const message = `${path} was changed after it was saved. Save it again, and then try again.`;
    this.notification.info(message, { autoClose: SECONDS * 1000 });
  }

  /**
   * @param {Removal} removal
   * @param {Removed} key
   */
  async keep(removal, key) {
    const [widget] = findDocuments(this.app, removal.path);
    const literal = widget && literalAt(widget, key);
    await keepRemoved(this.packages, this.app, widget, key, ({ workspace = "", isStored }) => {
      if (!isStored) {
        return []; // it is in the kernel's memory: the document may be the only copy that lasts
      }
      if (removal.left) {
        return []; // the file has it until the next save, whose notice offers the call
      }
      for (const one of removal.keys.filter(({ tail, length }) => tail === key.tail && length === key.length)) {
        Object.assign(one, { kept: STORED, workspace });
      }
      void this.align(removal, (one) => one.kept === STORED, false);
      const callback = () => literal && this.useCall(removal, key, literal);
      return literal && workspace ? [{ label: `Use ${formatCall(workspace)}`, callback }] : [];
    });
  }

  /**
   * @param {Removal} removal
   * @param {Removed} key one that is stored
   * @param {import("./key_calls.js").Literal} literal
   */
  async useCall(removal, key, literal) {
    await this.align(removal, (one) => one.kept === STORED, true);
    const [widget] = findDocuments(this.app, removal.path);
    const text = widget && findCode(widget, key);
    if (!text || !insertCall(text, key.workspace, literal)) {
      this.tellChanged(removal);
    }
  }

  /**
   * @param {Removal} removal
   * @param {(key: Removed) => boolean} mayGo whether the marker may take the place of a key; any other stays
   * @param {boolean} evenWithFocus
   * @returns {Promise<boolean>} whether something is left to do
   */
  async align({ path, keys: all }, mayGo, evenWithFocus) {
    const keys = all.map((key) => ({ ...key, stays: !mayGo(key) }));
    const [first] = findDocuments(this.app, path);
    if (first === undefined) {
      return false;
    }
    const options = isNotebook(first) ? { type: "notebook" } : { type: "file", format: "text" };
    /** @type {import("@jupyterlab/services").Contents.IModel} */
    let saved;
    try {
      saved = await this.app.serviceManager.contents.get(path, {
        .../** @type {import("@jupyterlab/services").Contents.IFetchOptions} */ (options),
        content: true,
      });
    } catch {
      this.notification.warning(`${path} could not be read, so the open document still shows the key. Save it again.`, {
        autoClose: SECONDS * 1000,
      });
      return false;
    }
    const { content } = saved;
    const widgets = findDocuments(this.app, path); // they may have been closed meanwhile
    const left = widgets.length > 0 && alignDocument(widgets, content, keys, { evenWithFocus });
    if (left) {
      this.waiting.set(path, { saved: content, keys });
    } else {
      this.done(path, keys);
    }
    return left;
  }

  /** The focus has moved: what waited for that can be done. */
  alignWaiting() {
    for (const [path, { saved, keys }] of this.waiting) {
      const widgets = findDocuments(this.app, path);
      if (widgets.length === 0 || !alignDocument(widgets, saved, keys, { evenWithFocus: false })) {
        this.done(path, keys);
      }
    }
  }

  /**
   * The document holds no key any more, so the next one is news, also if it is the same; unless one stays in it.
   *
   * @param {string} path
   * @param {{stays: boolean}[]} keys
   */
  done(path, keys) {
    this.waiting.delete(path);
    const before = this.shown.get(path);
    if (before && !keys.some((key) => key.stays)) {
      this.shown.set(path, { ...before, signature: "" });
    }
  }
}

/**
 * Whether others have the document open as well: nobody knows which cell they are typing in.
 *
 * @param {DocumentWidget | undefined} widget
 */
function isShared(widget) {
  const shared = /** @type {{awareness?: {getStates(): Map<number, {user?: unknown}>}} | undefined} */ (
    /** @type {unknown} */ (widget?.context.model.sharedModel)
  );
  const states = [...(shared?.awareness?.getStates().values() ?? [])];
  return states.filter((state) => state.user).length > 1; // the server is in there too, as nobody
}

/** @param {DocumentWidget} widget @param {Removed} key */
function literalAt(widget, key) {
  const code = findCode(widget, key);
  return code && findLiteral(code.getSource(), key.tail);
}
