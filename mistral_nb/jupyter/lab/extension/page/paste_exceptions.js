// @ts-check
// The documents in which a person does not want to be asked before a key is pasted. This browser remembers them, and not
// the document: else somebody else's notebook could turn the question off.

const STORED = "mistral-nb:paste-guard-off";
const MOST_PATHS = 200;

/** @returns {string[]} the documents in which the person does not want to be asked */
export function pathsNotAsked() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return Array.isArray(stored) ? stored : [];
  } catch {
    return [];
  }
}

/** @param {string} path */
export function dontAskIn(path) {
  setPathsNotAsked([...pathsNotAsked().filter((other) => other !== path), path]);
}

/** @param {string} path */
export function askAgainIn(path) {
  setPathsNotAsked(pathsNotAsked().filter((other) => other !== path));
}

/** @param {string[]} paths */
function setPathsNotAsked(paths) {
  try {
    localStorage.setItem(STORED, JSON.stringify(paths.slice(-MOST_PATHS)));
  } catch {
    // a browser without storage asks again
  }
}
