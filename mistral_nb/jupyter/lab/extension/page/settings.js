// @ts-check
// The person's settings of this extension, `schemas/mistral-nb/plugin.json`.

const ID = "mistral-nb:plugin";

/** @typedef {import("@jupyterlab/settingregistry").ISettingRegistry} SettingRegistry */

/**
 * Whether a feature is on, now and after each change.
 *
 * @param {SettingRegistry | null} registry null where the front end has no settings: every feature is on
 * @param {() => void} [changed] called after each change
 * @returns {Promise<(name: string) => boolean>}
 */
export async function loadSettings(registry, changed = () => undefined) {
  try {
    const settings = await registry?.load(ID);
    settings?.changed.connect(changed);
    return (name) => settings?.composite[name] !== false;
  } catch {
    return () => true; // a server whose settings can't be read
  }
}

/**
 * @param {SettingRegistry | null} registry
 * @param {string} name
 * @param {boolean} isOn
 */
export async function changeSetting(registry, name, isOn) {
  await registry?.set(ID, name, isOn);
}
