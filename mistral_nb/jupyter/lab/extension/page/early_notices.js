// @ts-check
// Notices of a key that was typed or pasted into a document: the one after the save takes their place.

/** @type {Map<string, string>} a notice's id by the document's path and the key's tail */
const shown = new Map();

/**
 * @param {string} path
 * @param {string} tail
 * @param {string} id of the notice
 */
export function noteEarly(path, tail, id) {
  shown.set(`${tail} ${path}`, id);
}

/**
 * @param {typeof import("@jupyterlab/apputils").Notification} notification
 * @param {string} path
 * @param {string[]} tails
 */
export function dismissEarly(notification, path, tails) {
  for (const place of tails.map((tail) => `${tail} ${path}`)) {
    const id = shown.get(place);
    if (id !== undefined) {
      notification.dismiss(id);
      shown.delete(place);
    }
  }
}
