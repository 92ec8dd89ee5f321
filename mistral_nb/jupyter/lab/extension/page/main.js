// @ts-check
// The plugins, one a feature, so that each can be disabled alone.

import { commandsPlugin } from "./commands.js";
import { pasteGuardPlugin } from "./paste_guard.js";
import { removalsPlugin } from "./removals.js";
import { loadPackages } from "./shared_packages.js";
import { statusPlugin } from "./status.js";

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("@jupyterlab/application").JupyterFrontEndPlugin<void>} Plugin */

/** @type {((packages: Packages) => Plugin)[]} */
const FEATURES = [removalsPlugin, pasteGuardPlugin, statusPlugin, commandsPlugin];

/**
 * None where the front end does not share what they need.
 *
 * @param {unknown} shareScope as the loader hands it over
 * @returns {Promise<Plugin[]>}
 */
export async function loadPlugins(shareScope) {
  try {
    const packages = await loadPackages(shareScope);
    return FEATURES.map((makePlugin) => makePlugin(packages));
  } catch (error) {
    console.warn(`mistral_nb: its part of this page is off. ${error instanceof Error ? error.message : error}`);
    return [];
  }
}
