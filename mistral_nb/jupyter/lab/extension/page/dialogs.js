// @ts-check
// Dialogs of this extension: text is always text, and a key is never in one.

/** @typedef {import("./shared_packages.js").Packages} Packages */
/** @typedef {import("./kernel_link.js").Question} Question */

let fields = 0;

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 */
export function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** @param {string[]} sentences */
export function makeText(sentences) {
  const paragraphs = sentences.filter(Boolean).map((sentence) => make("p", { style: "margin: 0 0 8px" }, sentence));
  return make("div", { class: "mistral-nb-dialog", style: "max-width: 34em; line-height: 1.5" }, ...paragraphs);
}

/**
 * A labelled field. Password managers and spelling services are told to keep out.
 *
 * @param {string} label
 * @param {"text" | "password" | "checkbox"} type
 */
export function makeField(label, type) {
  fields += 1;
  const id = `mistral-nb-field-${fields}`;
  const input = /** @type {HTMLInputElement} */ (
    make("input", { id, type, autocomplete: type === "password" ? "new-password" : "off", spellcheck: "false", "data-1p-ignore": "", "data-lpignore": "true", "data-bwignore": "" })
  );
  const text = make("label", { for: id, style: type === "checkbox" ? "margin-left: 4px" : "display: block" }, label);
  if (type === "checkbox") {
    return { input, node: make("div", { style: "margin-top: 8px" }, input, text) };
  }
  input.className = "jp-mod-styled";
  return { input, node: make("div", { style: "margin-top: 8px" }, text, input) };
}

/**
 * @param {Packages} packages
 * @param {string} title
 * @param {HTMLElement} node
 * @param {{label: string, action: string, isMain?: boolean}[]} choices beside "Cancel"
 * @returns {Promise<string>} the chosen action; "" for none
 */
export async function choose({ apputils, widgets }, title, node, choices) {
  const { Dialog } = apputils;
  const buttons = [
    Dialog.cancelButton({ label: "Cancel" }),
    ...choices.map(({ label, action, isMain }) =>
      Dialog.createButton({ label, caption: label, actions: [action], accept: true, className: isMain ? "" : "jp-mod-reject" }),
    ),
  ];
  const main = choices.findIndex(({ isMain }) => isMain) + 1; // else Cancel
  const body = new widgets.Widget({ node });
  const dialog = new Dialog({ title, body, buttons, defaultButton: main, ...firstField(node) });
  const result = await dialog.launch();
  return result.button.actions[0] ?? "";
}

/**
 * Something to read, until it is closed.
 *
 * @param {Packages} packages
 * @param {string} title
 * @param {HTMLElement} node
 */
export async function show({ apputils, widgets }, title, node) {
  const body = new widgets.Widget({ node });
  await apputils.showDialog({ title, body, buttons: [apputils.Dialog.okButton({ label: "Close" })] });
}

/** @param {HTMLElement} node */
const firstField = (node) =>
  node.querySelector("input:not([type=checkbox])") ? { focusNodeSelector: ".mistral-nb-dialog input" } : {};

/**
 * A question of a running request.
 *
 * @param {Packages} packages
 * @param {Question} question
 * @returns {Promise<string | null>} null: cancel
 */
export async function askQuestion(packages, { question, choices, default: preset, masked }) {
  const node = makeText([question]);
  if (choices.length > 0) {
    const labels = choices.map((choice) => ({
      label: choice[0].toUpperCase() + choice.slice(1),
      action: choice,
      isMain: choice === preset,
    }));
    return (await choose(packages, "Mistral key", node, labels)) || null;
  }
  const field = makeField(masked ? "Passphrase" : "Answer", masked ? "password" : "text");
  field.input.value = masked ? "" : (preset ?? "");
  node.append(field.node);
  const action = await choose(packages, "Mistral key", node, [{ label: "OK", action: "ok", isMain: true }]);
  const answer = field.input.value;
  field.input.value = "";
  return action ? answer : null;
}
