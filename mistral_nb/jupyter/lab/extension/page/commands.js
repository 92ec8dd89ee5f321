// @ts-check
// Commands for palette and menus. The menu is declared in schemas/mistral-nb/plugin.json, so that a person can change it.

import { enterInDialog } from "./card_dialog.js";
import { make, makeText, show } from "./dialogs.js";
import { describeEnd, insertMagicCell, runWithNotice } from "./keep_key.js";
import { linkFor } from "./kernel_link.js";
import { askAgainIn, pathsNotAsked } from "./paste_exceptions.js";
import { serverFacts } from "./server_facts.js";
import { changeSetting, loadSettings } from "./settings.js";

const CATEGORY = "Mistral";
const SIGNS = /** @type {Record<string, string>} */ ({ ok: "✓ ", warn: "! ", bad: "✗ ", "": "" });

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("./kernel_link.js").KernelLink} KernelLink */
/** @typedef {import("@jupyterlab/notebook").NotebookPanel} NotebookPanel */

/**
 * @param {Packages} packages
 * @returns {import("@jupyterlab/application").JupyterFrontEndPlugin<void>}
 */
export function commandsPlugin(packages) {
  const { apputils, notebook, settingregistry } = packages;
  return {
    id: "mistral-nb:commands",
    description: "Mistral keys in the command palette and in the Kernel menu.",
    autoStart: true,
    optional: [notebook.INotebookTracker, apputils.ICommandPalette, settingregistry.ISettingRegistry],
    activate: (app, tracker, palette, settings) => {
      const commands = new Commands(app, packages, tracker);
      for (const [id, options] of Object.entries(commands.all(settings))) {
        app.commands.addCommand(id, options);
        palette?.addItem({ command: id, category: CATEGORY });
      }
    },
  };
}

class Commands {
  /**
   * @param {import("@jupyterlab/application").JupyterFrontEnd} app
   * @param {Packages} packages
   * @param {import("@jupyterlab/notebook").INotebookTracker | null} tracker
   */
  constructor(app, packages, tracker) {
    this.app = app;
    this.packages = packages;
    this.tracker = tracker;
    this.server = serverFacts(app, packages);
  }

  /**
   * @param {import("./settings.js").SettingRegistry | null} settings
   * @returns {Record<string, import("@lumino/commands").CommandRegistry.ICommandOptions>}
   */
  all(settings) {
    const isEnabled = () => Boolean(this.tracker?.currentWidget);
    /** @param {(panel: NotebookPanel) => Promise<void>} run */
    const withNotebook = (run) => () => this.tracker?.currentWidget && run(this.tracker.currentWidget);
    /** @type {(name: string) => boolean} */
    let isOn = () => true;
    void loadSettings(settings).then((loaded) => (isOn = loaded));
    const isGuardOn = () => isOn("pasteGuard");
    const path = () => this.tracker?.currentWidget?.context.path ?? "";
    return {
      "mistral-nb:enter-key": { label: "Enter a Mistral Key…", isEnabled, execute: withNotebook((panel) => this.enterKey(panel)) },
      "mistral-nb:switch": { label: "Switch Mistral Workspace…", isEnabled, execute: withNotebook((panel) => this.switchTo(panel)) },
      "mistral-nb:status": { label: "Mistral Key Status", execute: () => this.showStatus() },
      "mistral-nb:scan": { label: "Scan This Notebook for Keys", isEnabled, execute: withNotebook((panel) => this.scan(panel)) },
      "mistral-nb:paste-guard": {
        label: "Ask Before a Mistral Key Is Pasted",
        isToggleable: true,
        isToggled: () => isGuardOn() && !pathsNotAsked().includes(path()),
        execute: async () => {
          if (isGuardOn() && pathsNotAsked().includes(path())) {
            askAgainIn(path());
          } else {
            await changeSetting(settings, "pasteGuard", !isGuardOn());
          }
        },
      },
    };
  }

  /** @param {NotebookPanel} panel */
  async enterKey(panel) {
    const link = await this.readyLink(panel, (one) => one.keepProblem());
    if (!link) {
      return;
    }
    const { Notification } = this.packages.apputils;
    if (link.mustWait) {
      Notification.info("The kernel is running a cell. Enter the key when it is idle.", { autoClose: 10_000 });
      return;
    }
    const outcome = await enterInDialog(this.packages, link);
    if (outcome.kind === "done") {
      insertMagicCell(panel, outcome.workspace ?? "");
      void this.server.refresh();
    }
    if (outcome.text) {
      const { message, type, ...options } = describeEnd(this.packages, outcome);
      Notification.emit(message, type, options);
    }
  }

  /** @param {NotebookPanel} panel */
  async switchTo(panel) {
    const link = await this.readyLink(panel);
    if (!link) {
      return;
    }
    const { InputDialog, Notification } = this.packages.apputils;
    const names = Object.keys(link.state?.workspaces ?? {});
    if (names.length === 0) {
      Notification.info("No key is stored for this notebook's kernel. Use Enter a Mistral Key first.", { autoClose: 10_000 });
      return;
    }
    const items = names.map((name) => `${name} …${link.state?.workspaces[name]}`);
    const current = Math.max(names.indexOf(link.state?.key?.workspace ?? ""), 0);
    const chosen = await InputDialog.getItem({ title: "Switch Mistral workspace", items, current, okLabel: "Switch" });
    if (chosen.button.accept && chosen.value) {
      const workspace = names[items.indexOf(chosen.value)];
      await runWithNotice(this.packages, link, (talk) => link.switchTo(workspace, talk));
    }
  }

  async showStatus() {
    const panel = this.tracker?.currentWidget;
    const link = panel ? linkFor(panel) : null;
    await link?.found();
    const outcome = link?.reach === "ready" ? await link.status() : null;
    const node = outcome?.kind === "done" ? makeTable(outcome) : makeText(this.describeWithoutKernel(link, outcome?.text));
    await show(this.packages, "Mistral key status", node);
  }

  /**
   * @param {KernelLink | null} link
   * @param {string} [problem]
   */
  describeWithoutKernel(link, problem) {
    const { facts, isThere } = this.server;
    const kept = Object.entries(facts.workspaces).map(([name, { tail }]) => `${name} …${tail}`);
    return [
      problem || link?.problem() || "No notebook is open.",
      isThere === false ? "mistral_nb is not enabled in this Jupyter server: what it saves is not searched for keys." : "",
      kept.length > 0 ? `Stored on the server's machine: ${kept.join(", ")}.` : "",
      facts.covered ? "What this server saves is searched for keys." : "",
    ];
  }

  /** @param {NotebookPanel} panel */
  async scan(panel) {
    const { Notification } = this.packages.apputils;
    try {
      const { message, keys, problem } = await this.server.scan(panel.context.path, panel.context.model.toJSON());
      const isClean = keys.length === 0 && !problem;
      Notification.emit(message, isClean ? "success" : "warning", { autoClose: isClean && 10_000 });
    } catch (error) {
      Notification.error(error instanceof Error ? error.message : "The notebook could not be scanned.", { autoClose: false });
    }
  }

  /**
   * The notebook's link; if it can't be used, the person is told why.
   *
   * @param {NotebookPanel} panel
   * @param {(link: KernelLink) => string} problemOf
   */
  async readyLink(panel, problemOf = (link) => link.problem()) {
    const link = linkFor(panel);
    await link.found();
    const problem = problemOf(link);
    if (problem) {
      this.packages.apputils.Notification.warning(problem, { autoClose: false });
      return null;
    }
    return link;
  }
}

/** @param {import("./kernel_link.js").Outcome} outcome */
function makeTable(outcome) {
  const table = make("table", { style: "border-collapse: collapse; text-align: left" });
  for (const [label, value, state, repair] of outcome.rows) {
    const cell = make("td", { style: "padding: 2px 0" }, `${SIGNS[state] ?? ""}${value}`);
    if (repair) {
      cell.append(make("div", { style: "color: var(--jp-ui-font-color2)" }, `→ ${repair}`));
    }
    const head = make("th", { scope: "row", style: "padding: 2px 16px 2px 0; font-weight: 400; white-space: nowrap; vertical-align: top; color: var(--jp-ui-font-color2)" }, label);
    table.append(make("tr", {}, head, cell));
  }
  const node = makeText([outcome.text]);
  node.append(table, ...outcome.notes.map((note) => make("p", {}, note)));
  return node;
}
