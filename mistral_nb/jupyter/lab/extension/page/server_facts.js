// @ts-check
// What the server knows of keys: names, tails, dates, fingerprints of remembered keys (handlers.py). Never a key.

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("@jupyterlab/services").ServerConnection.ISettings} ServerSettings */
/**
 * @typedef {object} Facts
 * @property {Record<string, {tail: string, expires: string | null}>} workspaces by name
 * @property {import("./key_shapes.js").RememberedKey[]} remembered
 * @property {string} home which data folder they are of, see `KernelState`
 * @property {boolean} covered whether saves of this server are searched
 */

/** @type {Facts} */
const NOTHING = { workspaces: {}, remembered: [], home: "", covered: false };

/** @type {ServerFacts | undefined} */
let shared;

/**
 * The facts of this page's server, asked for at once; one for all features.
 *
 * @param {import("@jupyterlab/application").JupyterFrontEnd} app
 * @param {Packages} packages
 */
export function serverFacts(app, packages) {
  shared ??= new ServerFacts(packages, app.serviceManager.serverSettings);
  return shared;
}

export class ServerFacts {
  /**
   * @param {Packages} packages
   * @param {ServerSettings} settings
   */
  constructor(packages, settings) {
    this.packages = packages;
    this.settings = settings;
    this.facts = NOTHING;
    /** Whether the server has mistral_nb; null until it has answered. @type {boolean | null} */
    this.isThere = null;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") {
        void this.refresh(); // another page or terminal may have stored a key
      }
    });
    void this.refresh();
  }

  /** @param {() => void} callback called when the facts have changed */
  onChange(callback) {
    this.listeners.add(callback);
  }

  /** Ask again. Without an answer the last facts stay. */
  async refresh() {
    try {
      const response = await this.ask("state", {});
      this.isThere = response.ok;
      this.facts = response.ok ? { ...NOTHING, ...(await response.json()) } : NOTHING;
    } catch {
      return; // the server can't be reached: JupyterLab says so
    }
    for (const callback of this.listeners) {
      callback();
    }
  }

  /**
   * What a save of this notebook would take out, in a sentence.
   *
   * @param {string} path
   * @param {unknown} content
   */
  async scan(path, content) {
    const response = await this.ask("scan", { method: "POST", body: JSON.stringify({ path, content }) });
    if (!response.ok) {
      const why = response.status === 404 ? "mistral_nb is not enabled there." : `it answered ${response.status}. Its log says why.`;
      throw new Error(`The server did not scan the notebook: ${why}`);
    }
    return /** @type {{message: string, keys: unknown[], problem: string}} */ (await response.json());
  }

  /**
   * Have the server set aside a key that only its memory has.
   *
   * @param {string} id
   * @returns {Promise<{kept: string, text: string} | null>} `kept` as in the event; null if it knows of no such key
   */
  async keep(id) {
    try {
      const response = await this.ask("keep", { method: "POST", body: JSON.stringify({ id }) });
      return response.ok ? await response.json() : null;
    } catch {
      return null; // the server can't be reached: JupyterLab says so
    }
  }

  /**
   * @param {string} name
   * @param {RequestInit} init
   */
  ask(name, init) {
    const { ServerConnection } = this.packages.services;
    const address = this.packages.coreutils.URLExt.join(this.settings.baseUrl, "mistral-nb", name);
    return ServerConnection.makeRequest(address, init, this.settings);
  }
}
