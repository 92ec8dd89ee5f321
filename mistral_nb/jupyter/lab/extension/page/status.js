// @ts-check
// One short item: which key this notebook's kernel has, how long still, and whether saves are covered.
// In JupyterLab's status bar; Notebook 7 has none, there it stands at the end of the menu bar.

import { linkFor } from "./kernel_link.js";
import { serverFacts } from "./server_facts.js";
import { loadSettings } from "./settings.js";

const WARN_DAYS = 14; // as keys/expiry.py
const COLOURS = { "": "", warn: "var(--jp-warn-color1)", bad: "var(--jp-error-color1)" };
const SIGNS = { "": "", warn: "! ", bad: "✗ " };

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("./kernel_link.js").KernelLink} KernelLink */
/** @typedef {import("./kernel_link.js").KernelState} KernelState */
/** @typedef {import("./server_facts.js").Facts} Facts */
/** @typedef {{text: string, title: string, level: "" | "warn" | "bad"}} Shown */

/**
 * @param {Packages} packages
 * @returns {import("@jupyterlab/application").JupyterFrontEndPlugin<void>}
 */
export function statusPlugin(packages) {
  const { notebook, settingregistry, statusbar } = packages;
  return {
    id: "mistral-nb:status",
    description: "Shows which Mistral key a notebook's kernel has.",
    autoStart: true,
    optional: [notebook.INotebookTracker, statusbar.IStatusBar, settingregistry.ISettingRegistry],
    activate: (app, tracker, bar, settings) => {
      const item = new StatusItem(packages, serverFacts(app, packages), () => void app.commands.execute("mistral-nb:status"));
      if (bar) {
        bar.registerStatusItem("mistral-nb:status", { item: item.widget, align: "left", rank: 90 });
      } else {
        item.widget.id = "mistral-nb-status";
        app.shell.add(item.widget, "menu", { rank: 900 });
      }
      const follow = () => item.follow(tracker?.currentWidget ? linkFor(tracker.currentWidget) : null);
      tracker?.currentChanged.connect(follow);
      follow();
      void loadSettings(settings, () => item.update()).then((isOn) => {
        item.isOn = () => isOn("statusItem");
        item.update();
      });
    },
  };
}

class StatusItem {
  /**
   * @param {Packages} packages
   * @param {import("./server_facts.js").ServerFacts} server
   * @param {() => void} open
   */
  constructor(packages, server, open) {
    this.server = server;
    this.isOn = () => true;
    /** @type {KernelLink | null} */
    this.link = null;
    this.unfollow = () => {};
    this.button = document.createElement("button");
    this.button.className = "mistral-nb-status";
    this.button.style.cssText =
      "border: 0; background: transparent; color: inherit; font: inherit; padding: 0 6px; cursor: pointer; height: 100%; white-space: nowrap";
    this.button.addEventListener("click", open);
    const node = document.createElement("div");
    node.append(this.button);
    this.widget = new packages.widgets.Widget({ node });
    server.onChange(() => this.update());
    this.update();
  }

  /** @param {KernelLink | null} link of the notebook in front */
  follow(link) {
    this.unfollow();
    this.link = link;
    this.unfollow = link?.onState(() => this.update()) ?? (() => {});
    this.update();
  }

  update() {
    const shown = this.isOn() ? formatStatus(this.link?.state ?? null, this.link?.reach ?? "none", this.server.facts, new Date()) : null;
    this.widget.setHidden(shown === null);
    if (shown) {
      this.button.textContent = `${SIGNS[shown.level]}${shown.text}`;
      this.button.title = shown.title;
      this.button.style.boxShadow = shown.level ? `inset 0 -2px ${COLOURS[shown.level]}` : "";
    }
  }
}

/**
 * What the item says; null where there is nothing of Mistral. The kernel's word stands over the server's.
 *
 * @param {KernelState | null} state of the notebook's kernel
 * @param {import("./kernel_link.js").Reach} reach
 * @param {Facts} facts of the server
 * @param {Date} now
 * @returns {Shown | null}
 */
export function formatStatus(state, reach, facts, now) {
  if (state) {
    return formatKernel(state, facts, now);
  }
  const kept = Object.entries(facts.workspaces);
  if (kept.length === 0) {
    return null;
  }
  const keys = kept.length === 1 ? `${kept[0][0]} …${kept[0][1].tail} stored` : `${kept.length} keys stored`;
  const saves = facts.covered ? "saves covered" : "saves not covered";
  const why =
    reach === "absent"
      ? "mistral_nb is not loaded in this notebook's kernel: run %load_ext mistral_nb in a cell."
      : "No notebook's kernel has told which key it has.";
  return { text: `Mistral: ${keys} · ${saves}`, title: why, level: facts.covered ? "" : "warn" };
}

/**
 * @param {KernelState} state
 * @param {Facts} facts
 * @param {Date} now
 * @returns {Shown | null}
 */
function formatKernel(state, facts, now) {
  const { key } = state;
  const saves = state.covered ? "saves covered" : "saves not covered";
  const title = [state.guarded ? "Output is guarded." : `Output is ${state.guard}.`, `Saves are ${state.saves}.`];
  if (!key) {
    const count = Object.keys(state.workspaces).length;
    const text = count === 1 ? "1 key stored, none set" : `${count} keys stored, none set`;
    return count === 0 ? null : { text: `Mistral: ${text} · ${saves}`, title: title.join(" "), level: state.guarded ? "" : "warn" };
  }
  const left = daysLeft(key.expires, now);
  const parts = [`${key.workspace} …${key.tail}`.trim()];
  let level = /** @type {Shown["level"]} */ (state.guarded && state.covered ? "" : "warn");
  if (key.refused) {
    parts.push("refused by Mistral");
    level = "bad";
  } else if (left !== null && left < 0) {
    parts.push("expired");
    level = "bad";
  } else if (left !== null) {
    parts.push(`${left} d`);
    level = left < WARN_DAYS ? "warn" : level;
  }
  parts.push(saves);
  if (!state.guarded) {
    parts.push("output not guarded");
  }
  if (!key.kept) {
    title.push("The key is not stored: it is lost when the kernel stops.");
  } else if (facts.home && facts.home !== state.home) {
    title.push(`The key is stored on ${state.machine}, where the kernel runs.`);
  }
  return { text: `Mistral: ${parts.join(" · ")}`, title: title.join(" "), level };
}

/**
 * Whole days from today to a date, as keys/expiry.py counts them; null without a date.
 *
 * @param {string | null} expires
 * @param {Date} now
 */
function daysLeft(expires, now) {
  const end = Date.parse(`${expires}T00:00:00Z`);
  const today = Date.UTC(now.getFullYear(), now.getMonth(), now.getDate());
  return Number.isNaN(end) ? null : Math.round((end - today) / 86_400_000);
}
