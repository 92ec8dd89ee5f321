// @ts-check
// Asks before a key is pasted or dropped into a cell or file, and tells of one that came another way.
//
// While it asks, the key is in this function's variables alone: not in a model, so not in the shared document, and not in
// the page. It protects against accidents: a script of the page can read the clipboard as well.

import { fingerprint } from "./blake2b.js";
import { choose, makeField, makeText } from "./dialogs.js";
import { noteEarly } from "./early_notices.js";
import { insertMagicCell, runWithNotice } from "./keep_key.js";
import { findImportPlace, formatCall } from "./key_calls.js";
import { findKey, namesMistral } from "./key_shapes.js";
import { linkFor } from "./kernel_link.js";
import { isNotebook, listDocuments } from "./open_documents.js";
import { dontAskIn, pathsNotAsked } from "./paste_exceptions.js";
import { serverFacts } from "./server_facts.js";
import { loadSettings } from "./settings.js";

const SHORTEST = 16; // characters of a key
const LOCAL = ["localhost", "127.0.0.1", "[::1]"];

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("@jupyterlab/application").JupyterFrontEnd} App */
/** @typedef {import("@codemirror/view").EditorView} View */
/** @typedef {import("@jupyterlab/codeeditor").CodeEditor.IModel} EditorModel */
/** @typedef {import("@jupyterlab/notebook").NotebookPanel} NotebookPanel */
/** @typedef {import("./open_documents.js").DocumentWidget} DocumentWidget */

/**
 * @param {Packages} packages
 * @returns {import("@jupyterlab/application").JupyterFrontEndPlugin<void>}
 */
export function pasteGuardPlugin(packages) {
  const { codemirror, notebook, settingregistry } = packages;
  return {
    id: "mistral-nb:paste-guard",
    description: "Asks before a Mistral key is pasted into a cell or file.",
    autoStart: true,
    requires: [codemirror.IEditorExtensionRegistry],
    optional: [notebook.INotebookTracker, settingregistry.ISettingRegistry],
    activate: (app, registry, tracker, settings) => {
      const guard = new PasteGuard(app, packages);
      void loadSettings(settings).then((isOn) => {
        guard.isOn = () => isOn("pasteGuard");
      });
      const factory = (/** @type {{model: EditorModel}} */ options) => guard.makeExtension(options.model);
      /** @type {import("@jupyterlab/codemirror").IEditorExtensionRegistry} */ (registry).addExtension({
        name: "mistral-nb:paste-guard",
        factory,
      });
      /** @type {import("@jupyterlab/notebook").INotebookTracker | null} */ (tracker)?.widgetAdded.connect((_, panel) => {
        void panel.context.ready.then(() => guard.watchCells(panel));
      });
    },
  };
}

export class PasteGuard {
  /**
   * @param {App} app
   * @param {Packages} packages
   */
  constructor(app, packages) {
    this.app = app;
    this.packages = packages;
    this.server = serverFacts(app, packages);
    this.isOn = () => true;
    /** @type {Set<string>} keys that the person pasted anyway, as `placeOf` has them */
    this.allowed = new Set();
    /** @type {Set<string>} keys that the person was told of */
    this.told = new Set();
  }

  /** @param {EditorModel} model */
  makeExtension(model) {
    const { codemirror, codemirrorState, codemirrorView } = this.packages;
    const { EditorView } = codemirrorView;
    const handlers = EditorView.domEventHandlers({
      paste: (event, view) => this.intercept(event, view, event.clipboardData),
      drop: (event, view) => this.intercept(event, view, event.dataTransfer),
    });
    const watch = EditorView.updateListener.of((update) => {
      if (update.docChanged) {
        update.changes.iterChanges((_from, _to, start, _end, inserted) => {
          if (inserted.length >= SHORTEST) {
            this.notice(update.view, model, inserted.toString(), start);
          }
        });
      }
    });
    const { Prec } = codemirrorState;
    return codemirror.EditorExtensionRegistry.createImmutableExtension([Prec.highest(handlers), watch]);
  }

  /**
   * @param {Event} event
   * @param {View} view
   * @param {DataTransfer | null} data
   * @returns {boolean} whether the event was taken: nothing is inserted by anybody else
   */
  intercept(event, view, data) {
    const text = data?.getData("text/plain") ?? "";
    if (text.length < SHORTEST || view.state.readOnly) {
      return false;
    }
    if (event instanceof DragEvent) {
      const place = view.posAtCoords({ x: event.clientX, y: event.clientY });
      if (place !== null && this.find(view, text, place, place)) {
        view.dispatch({ selection: { anchor: place } });
      }
    }
    const { from, to } = view.state.selection.main;
    const found = this.find(view, text, from, to);
    if (!found) {
      return false;
    }
    event.preventDefault();
    void this.ask(view, text, found);
    return true;
  }

  /**
   * The key in a text, if it is to be asked about.
   *
   * @param {View} view
   * @param {string} text
   * @param {number} from the place it goes to
   * @param {number} to
   */
  find(view, text, from, to) {
    const panel = this.panelOf(view);
    if (!this.isOn() || (panel && pathsNotAsked().includes(panel.context.path))) {
      return null;
    }
    const { doc } = view.state;
    const around = {
      before: doc.sliceString(Math.max(0, from - 1000), from),
      after: doc.sliceString(to, to + 1000),
      namesMistral: () => namesMistral(doc.toString()) || (panel !== null && notebookNamesMistral(panel)),
    };
    const found = findKey(text, around, this.server.facts.remembered);
    return found && !this.allowed.has(placeOf(panel, found.key)) ? found : null;
  }

  /**
   * @param {View} view
   * @param {string} text what was to be pasted
   * @param {{key: string, isRemembered: boolean}} found
   */
  async ask(view, text, found) {
    const panel = this.panelOf(view);
    const link = panel && isNotebook(panel) ? linkFor(panel) : null;
    const problem = link ? link.keepProblem() : "A key is kept by a notebook's kernel. Paste it there, or run: mistral-nb login";
    const rest = textWithout(text, found.key);
    const node = makeText([
      `You are about to put …${found.key.slice(-4)} into ${panel?.context.path ?? "this editor"}. A key in a document can end up in commits, exports and shared copies.`,
      problem ? `It can't be kept from here. ${problem}` : keepSentence(link, this.server.facts.home),
      !problem && rest ? "The rest of the text is inserted without it." : "",
    ]);
    const never = makeField("Don't ask in this document", "checkbox");
    node.append(never.node);
    const title = found.isRemembered ? "This is a Mistral API key" : "This looks like a Mistral API key";
    const choices = [{ label: "Paste anyway", action: "paste" }];
    if (!problem) {
      choices.push(Object.assign({ label: "Keep it", action: "keep" }, { isMain: true }));
    }
    const action = await choose(this.packages, title, node, choices);
    if (action && never.input.checked && panel) {
      dontAskIn(panel.context.path);
    }
    view.focus();
    if (action === "paste") {
      this.allowed.add(placeOf(panel, found.key));
      view.dispatch(view.state.replaceSelection(text), { userEvent: "input.paste", scrollIntoView: true });
    } else if (action === "keep" && link && panel) {
      const useCall = (/** @type {string} */ workspace) => insertCallAtCursor(view, workspace);
      void this.keep(/** @type {NotebookPanel} */ (panel), link, found.key, useCall);
      await this.insertRest(view, rest, text.indexOf(found.key));
    }
  }

  /**
   * What was pasted beside a key that is kept; asks again if there is one more in it.
   *
   * @param {View} view
   * @param {string} rest
   * @param {number} cursor the place of the key in it
   */
  async insertRest(view, rest, cursor) {
    const { from, to } = view.state.selection.main;
    const another = rest && this.find(view, rest, from, to);
    if (another) {
      await this.ask(view, rest, another);
    } else if (rest) {
      const before = view.state.toText(rest.slice(0, cursor)).length;
      const insert = view.state.toText(rest);
      view.dispatch({ changes: { from, to, insert }, selection: { anchor: from + before }, userEvent: "input.paste", scrollIntoView: true });
    }
  }

  /**
   * @param {NotebookPanel} panel
   * @param {import("./kernel_link.js").KernelLink} link
   * @param {string} key
   * @param {(workspace: string) => void} useCall
   */
  async keep(panel, link, key, useCall) {
    const outcome = await runWithNotice(
      this.packages,
      link,
      (talk) => link.keep(key, "", talk),
      ({ workspace = "" }) => [{ label: `Insert ${formatCall(workspace)}`, callback: () => useCall(workspace) }],
    );
    if (outcome.kind === "done") {
      insertMagicCell(panel, outcome.workspace ?? "");
      void this.server.refresh();
    }
    return outcome;
  }

  // ---- what came another way

  /**
   * @param {View} view
   * @param {EditorModel} model
   * @param {string} text what is in the document now
   * @param {number} start where
   */
  notice(view, model, text, start) {
    const found = this.find(view, text, start, start + text.length);
    if (found) {
      this.tell(this.panelOf(view), model, found.key);
    }
  }

  /** @param {NotebookPanel} panel a cell that is pasted or split is an editor of its own from the start */
  watchCells(panel) {
    panel.content.model?.cells.changed.connect((_, change) => {
      for (const cell of change.type === "add" ? change.newValues : []) {
        const text = cell.sharedModel.getSource();
        const around = { before: "", after: "", namesMistral: () => notebookNamesMistral(panel) };
        const found = this.isOn() ? findKey(text, around, this.server.facts.remembered) : null;
        if (found && !this.allowed.has(placeOf(panel, found.key)) && !pathsNotAsked().includes(panel.context.path)) {
          this.tell(panel, cell, found.key);
        }
      }
    });
  }

  /**
   * @param {DocumentWidget | null} panel
   * @param {EditorModel} model
   * @param {string} key
   */
  tell(panel, model, key) {
    const place = placeOf(panel, key);
    if (this.told.has(place)) {
      return;
    }
    this.told.add(place);
    const { Notification } = this.packages.apputils;
    const link = panel && isNotebook(panel) ? linkFor(panel) : null;
    const where = `${panel?.context.path ?? "a document"} now`;
    const then = this.isCovered(panel) ? "A save takes it out; the open document still shows it." : "Take it out before you share the file.";
    const message = `A Mistral key, …${key.slice(-4)}, is in ${where}. ${then}`;
    const actions = link
      ? [{ label: "Keep it and take it out", callback: () => void this.keepAndTakeOut(/** @type {NotebookPanel} */ (panel), model, key) }]
      : [];
    const id = Notification.warning(message, { autoClose: false, actions });
    noteEarly(this.app.serviceManager.contents.localPath(panel?.context.path ?? ""), key.slice(-4), id);
  }

  /**
   * Whether a save takes a key out for certain: of other files it takes what is stored, and tells of what may be a key.
   *
   * @param {DocumentWidget | null} panel
   */
  isCovered(panel) {
    return panel !== null && isNotebook(panel) && (linkFor(panel).state?.covered ?? this.server.facts.covered);
  }

  /**
   * @param {NotebookPanel} panel
   * @param {EditorModel} model
   * @param {string} key
   */
  async keepAndTakeOut(panel, model, key) {
    const link = linkFor(panel);
    const problem = link.keepProblem();
    if (problem) {
      this.packages.apputils.Notification.error(problem, { autoClose: false });
      return;
    }
    const outcome = await this.keep(panel, link, key, () => undefined);
    const text = model.sharedModel;
    for (let at = text.getSource().indexOf(key); outcome.isStored && at >= 0; at = text.getSource().indexOf(key)) {
      const start = at;
      text.transact(() => text.updateSource(start, start + key.length, ""), false); // not for undo
    }
    if (outcome.isStored) {
      text.clearUndoHistory();
    }
  }

  /**
   * The document that an editor belongs to; null for a console's or a dialog's.
   *
   * @param {View} view
   */
  panelOf(view) {
    return listDocuments(this.app).find((widget) => widget.node.contains(view.dom)) ?? null;
  }
}

/**
 * A key in a document, as a text without the key.
 *
 * @param {DocumentWidget | null} panel
 * @param {string} key
 */
function placeOf(panel, key) {
  return `${fingerprint(key)} ${panel?.context.path ?? ""}`;
}

/**
 * A text without the key; "" if only white space and quotes are left.
 *
 * @param {string} text
 * @param {string} key
 */
export function textWithout(text, key) {
  const rest = text.replaceAll(key, "");
  return /[^\s"'`]/.test(rest) ? rest : "";
}

/** @param {DocumentWidget} panel */
function notebookNamesMistral(panel) {
  const { cells } = /** @type {{cells?: Iterable<{sharedModel: {getSource(): string}}>}} */ (panel.context.model);
  return [...(cells ?? [])].some((cell) => namesMistral(cell.sharedModel.getSource()));
}

/**
 * @param {import("./kernel_link.js").KernelLink | null} link
 * @param {string} serverHome
 */
function keepSentence(link, serverHome) {
  const state = link?.state;
  const isHere = LOCAL.includes(location.hostname) && state?.home === serverHome;
  const machine = isHere ? "this machine" : state ? `${state.machine}, where this notebook's kernel runs` : "the kernel's machine";
  const wait = link?.mustWait ? " The kernel is busy: it will do so when the running cell is done." : "";
  return `To keep it: it goes encrypted to this notebook's kernel, is checked with Mistral and stored on ${machine}.${wait}`;
}

/**
 * Put the call at the cursor, in place of the quotes around it.
 *
 * @param {View} view
 * @param {string} workspace
 */
function insertCallAtCursor(view, workspace) {
  const { doc, selection } = view.state;
  let { from, to } = selection.main;
  const [before, after] = [doc.sliceString(from - 1, from), doc.sliceString(to, to + 1)];
  if (before === after && (before === '"' || before === "'")) {
    [from, to] = [from - 1, to + 1];
  }
  const changes = [{ from, to, insert: formatCall(workspace) }];
  const place = findImportPlace(doc.toString());
  if (place && (place.start <= from || place.start >= to)) {
    changes.push({ from: place.start, to: place.start, insert: place.text });
  }
  view.dispatch({ changes, userEvent: "input" });
  view.focus();
}
