// @ts-check
// JupyterLab's own packages, taken from what the front end shares with its extensions.

/**
 * @typedef {object} Packages
 * @property {typeof import("@jupyterlab/apputils")} apputils
 * @property {typeof import("@codemirror/state")} codemirrorState
 * @property {typeof import("@codemirror/view")} codemirrorView
 * @property {typeof import("@jupyterlab/codemirror")} codemirror
 * @property {typeof import("@jupyterlab/coreutils")} coreutils
 * @property {typeof import("@jupyterlab/notebook")} notebook
 * @property {typeof import("@jupyterlab/services")} services
 * @property {typeof import("@jupyterlab/settingregistry")} settingregistry
 * @property {typeof import("@jupyterlab/statusbar")} statusbar
 * @property {typeof import("@lumino/widgets")} widgets
 */

/** @type {Record<keyof Packages, string>} */
const NAMES = {
  apputils: "@jupyterlab/apputils",
  codemirrorState: "@codemirror/state",
  codemirrorView: "@codemirror/view",
  codemirror: "@jupyterlab/codemirror",
  coreutils: "@jupyterlab/coreutils",
  notebook: "@jupyterlab/notebook",
  services: "@jupyterlab/services",
  settingregistry: "@jupyterlab/settingregistry",
  statusbar: "@jupyterlab/statusbar",
  widgets: "@lumino/widgets",
};

/** @typedef {{get: () => Promise<() => unknown>, loaded?: unknown}} Shared */

/**
 * @param {unknown} shareScope
 * @returns {Promise<Packages>} rejects with the name of a package that is not shared
 */
export async function loadPackages(shareScope) {
  const scope = /** @type {Record<string, Record<string, Shared>>} */ (shareScope ?? {});
  const entries = Object.entries(NAMES).map(async ([name, from]) => [name, await loadPackage(scope[from], from)]);
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * The version that the front end itself runs: one that is loaded, else the highest.
 *
 * @param {Record<string, Shared> | undefined} versions
 * @param {string} name
 */
async function loadPackage(versions, name) {
  const found = Object.entries(versions ?? {});
  if (found.length === 0) {
    throw new Error(`This front end does not share ${name}.`);
  }
  found.sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true }));
  const [, shared] = found.findLast(([, entry]) => entry.loaded) ?? /** @type {[string, Shared]} */ (found.at(-1));
  return (await shared.get())();
}
