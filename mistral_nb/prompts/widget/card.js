// @ts-nocheck
// The browser's side of the card: a form, and what seals it. The kernel's side is card.py.
//
// What is typed is encrypted here for one public key of the kernel, with WebCrypto, and leaves as a
// custom message: {to, public, iv, sealed}. It is in no trait of the model, so in no widget state; the
// fields are emptied before anything is sent. anywidget takes one text: the import below is replaced by the file itself.

import { canSeal, seal } from "./sealing.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const MIX = [/[A-Z]/, /[a-z]/, /[0-9]/];
const NO_NAME = "That looks like a key, not a name, so it was removed. Enter keys only in the Key field.";
const IN_A_CELL = {
  restarted: "The kernel was restarted; this form no longer works. Run the cell again.",
  earlier: "No kernel is responding: this form belongs to an earlier kernel of the notebook. Run the cell again.",
  slow: "No response yet: the kernel reads this when it is idle. If it was restarted, run the cell again.",
};
const SIGNS = { ok: ["✓", ""], warn: ["!", "Note: "], bad: ["✗", "Problem: "], "": ["", ""] };
const OUTSIDE = { target: "_blank", rel: "noopener noreferrer" };
const PAGE = /(https:\/\/(?:[a-z0-9-]+\.)*mistral\.ai(?![\w.-])(?:\/[\w/?=&;.%-]*[\w/=])?)/; // as _MISTRAL_PAGE in report.py
const KEYS = ["keydown", "keypress", "keyup"];
const SLOW = 10_000; // milliseconds without a word from the kernel

// ---- small helpers

// As key_shaped in key.py: only the field for the key seals what is typed and never shows it again.
export const keyShaped = (text) =>
  (text.match(/[A-Za-z0-9]{20,}/g) ?? []).some(
    (word) => (word.length === 32 || MIX.every((kind) => kind.test(word))) && !/^(?:[0-9a-f]+|[0-9A-F]+)$/.test(word),
  );

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

let views = 0;

// Password managers, autocorrect and spelling services are told to keep out.
const UNTOUCHED = {
  autocomplete: "off",
  autocapitalize: "off",
  autocorrect: "off",
  spellcheck: "false",
  "data-lpignore": "true",
  "data-1p-ignore": true,
  "data-bwignore": true,
  "data-form-type": "other",
};
const PASSWORD = { type: "password", autocomplete: "new-password" };
const PLAIN = { type: "text", autocomplete: "off" }; // off: the browser keeps no text to restore the page with
const masked = (id) => make("input", { ...UNTOUCHED, id, ...PASSWORD });
const EYE = ["M1 8c2-3.4 4.4-5 7-5s5 1.6 7 5c-2 3.4-4.4 5-7 5S3 11.4 1 8z", "M8 5.7a2.3 2.3 0 1 0 0 4.6 2.3 2.3 0 1 0 0-4.6z"];
const field = (id, label, input, hint, kind = "") =>
  make("div", { class: `field ${kind}` }, make("label", { for: id }, label), input, ...(hint ? [hint] : []));

function drawing(...paths) {
  const parts = ["svg", ...paths.map(() => "path")].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  const [svg, ...lines] = parts;
  for (const [name, value] of [["viewBox", "0 0 16 16"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
  lines.forEach((line, number) => line.setAttribute("d", paths[number]));
  svg.append(...lines);
  return svg;
}

// A text with its addresses of Mistral's pages as links; other addresses may be of a server's own making.
const linked = (text) =>
  text.split(PAGE).map((part, number) => (number % 2 ? make("a", { href: part, ...OUTSIDE }, part) : part));

// ---- the card

// `words`: what it says where no kernel responds.
export class Card {
  constructor(model, el, words = IN_A_CELL) {
    this.model = model;
    this.words = words;
    this.view = `${Date.now().toString(36)}-${(views += 1)}-${Math.random().toString(36).slice(2)}`;
    this.id = `mistral-nb-${this.view}`;
    this.ask = null; // what the kernel waits for
    this.over = false;
    this.build(el);
    this.listen();
    const secure = canSeal();
    this.say(secure ? "Getting ready …" : "This page is not a secure context (https or localhost), so input can't be encrypted.", secure ? "" : "warn");
    this.send({ kind: "ready", view: this.view, secure });
    this.slow = setTimeout(() => this.say(this.words.earlier, "warn"), SLOW);
    this.checked();
  }

  build(el) {
    const id = (part) => `${this.id}-${part}`;
    this.workspace = make("input", { ...UNTOUCHED, id: id("workspace"), type: "text", list: id("kept"), "aria-describedby": id("holds") });
    this.kept = make("datalist", { id: id("kept") });
    this.holds = make("div", { class: "hint", id: id("holds") });
    this.key = masked(id("key"));
    this.key.setAttribute("aria-describedby", id("check"));
    this.eye = make("button", { type: "button", class: "eye", "aria-label": "Show key", title: "Show key", "aria-controls": id("key") }, drawing(...EYE));
    this.showKey(false);
    this.check = make("div", { class: "hint", id: id("check"), "aria-live": "polite" });
    this.page = make("a", OUTSIDE, "Your keys at Mistral ↗");
    this.name = make("input", { ...UNTOUCHED, id: id("name"), type: "text", maxlength: 120 });
    this.expires = make("select", { id: id("expires") });
    for (const [value, label] of [["", "unknown"], ["30d", "in 30 days"], ["90d", "in 90 days"], ["180d", "in 180 days"], ["date", "on a date …"], ["never", "never"]])
      this.expires.append(make("option", { value }, label));
    this.date = make("input", { id: id("date"), type: "date", hidden: true, "aria-label": "Expiry date" });
    this.form = make(
      "fieldset",
      { class: "form", "aria-labelledby": id("title") },
      field(id("key"), "Key", make("div", { class: "typed" }, this.key, this.eye), make("div", { class: "under" }, this.check, this.page), "wide"),
      field(id("workspace"), "Workspace", this.workspace, this.holds, "wide"),
      this.kept,
      field(id("name"), "Name (optional)", this.name),
      field(id("expires"), "Expires (optional)", make("div", { class: "pair" }, this.expires, this.date)),
    );
    this.title = make("div", { class: "title", id: id("title") }, "Mistral API key");
    this.said = make("div", { class: "said", role: "status", "aria-live": "polite", tabindex: -1 });
    this.question = make("div", { class: "question" });
    this.actions = make("div", { class: "actions" });
    this.why = make("div", { class: "why" }, "What you type is encrypted in this page for this notebook's kernel only.");
    this.card = make(
      "section",
      // A click on its text gives the card the focus: without that the notebook has it, and its keys.
      { class: "card", "aria-labelledby": id("title"), tabindex: -1 },
      make("div", { class: "head" }, this.title, this.why),
      this.form, this.said, this.question, this.actions,
    );
    this.form.hidden = true;
    el.classList.add("mistral-nb-card");
    el.replaceChildren(this.card);
  }

  listen() {
    // The notebook's own keys (dd deletes a cell) and menus stay out of the card. It listens on the
    // document before anything inside hears a key, so the card listens on the window, which is earlier.
    this.pressed = (event) => {
      if (!event.composedPath().includes(this.card)) return;
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") return; // saving works from here too
      event.stopPropagation();
      if (event.type === "keydown" && !event.isComposing) this.press(event);
    };
    for (const kind of KEYS) window.addEventListener(kind, this.pressed, true);
    for (const kind of ["paste", "copy", "cut", "contextmenu", "input"])
      this.card.addEventListener(kind, (event) => event.stopPropagation());
    this.key.addEventListener("input", () => this.showTail());
    this.eye.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
    this.eye.addEventListener("click", () => this.showKey(this.key.type === PASSWORD.type));
    this.workspace.addEventListener("input", () => this.showHeld());
    for (const input of [this.workspace, this.name]) input.addEventListener("change", () => this.keyIn(input));
    this.expires.addEventListener("change", () => {
      this.date.hidden = this.expires.value !== "date";
      if (!this.date.hidden) this.date.focus();
    });
    this.heard = (message) => this.take(message);
    this.lost = () => this.end(this.met ? this.words.restarted : this.words.earlier, "warn");
    // Where the front end tells that no kernel is behind this card; elsewhere its silence has to do.
    this.checked = async () => {
      const model = await Promise.resolve(this.model.widget_manager?.get_model?.(this.model.get("card"))).catch(() => null);
      if (model?.comm_live === false) this.lost();
    };
    this.left = () => this.send({ kind: "gone", view: this.view });
    this.model.on("msg:custom", this.heard);
    this.model.on("comm_live_update", this.checked);
    window.addEventListener("pagehide", this.left);
  }

  press(event) {
    const enter = event.key === "Enter" && (event.repeat || event.target.matches("input"));
    if (event.key !== "Escape" && !enter) return;
    event.preventDefault();
    if (event.repeat) return; // a key that is held down would answer the next question as well
    if (enter) this.submit();
    else this.cancel();
  }

  stop() {
    clearTimeout(this.slow);
    for (const kind of KEYS) window.removeEventListener(kind, this.pressed, true);
    this.emptyKey();
    window.removeEventListener("pagehide", this.left);
    this.model.off("msg:custom", this.heard);
    this.model.off("comm_live_update", this.checked);
    if (!this.over) this.left();
  }

  send(message) {
    if (this.over) return;
    try {
      this.model.send(message);
    } catch {
      this.lost();
    }
  }

  // ---- what the kernel says

  take(message) {
    clearTimeout(this.slow);
    this.met = true; // a kernel was behind this card
    if (this.over) return;
    if (message.kind === "step") this.say(message.lines, message.state);
    if (message.kind === "done") this.end(message.lines, message.state);
    if (message.kind === "ask" && message.to !== this.ask?.to) this.show(message);
  }

  show(ask) {
    this.ask = ask;
    this.card.removeAttribute("aria-busy");
    this.question.replaceChildren();
    if (ask.form) this.showForm(ask.form);
    this.form.hidden = !ask.form && !this.formShown;
    this.form.disabled = !ask.form;
    this.say(ask.lines, ask.state);
    const focus = ask.form ? this.formButtons(ask) : this.showQuestion(ask);
    this.focusOn(focus);
  }

  showForm(form) {
    this.formShown = true;
    this.keptTails = form.kept;
    this.typed = form.typed;
    this.kept.replaceChildren(...Object.entries(form.kept).map(([name, tail]) => make("option", { value: name }, `holds …${tail}`)));
    this.page.href = form.page;
    this.date.min = form.today;
    for (const name of ["workspace", "name", "expires"]) {
      if (!(this.settle(this[name], form.given[name])) && !this[name].value) this.prefill(name, form.draft[name] ?? "");
    }
    this.workspace.placeholder = "its name at Mistral";
    this.showTail();
    this.showHeld();
  }

  // What came with the command stands there, and can't be changed here.
  settle(input, value) {
    if (value == null) return false;
    if (input === this.expires && ![...input.options].some((option) => option.value === value))
      input.append(make("option", { value }, value));
    input.value = value;
    if (input === this.expires) input.disabled = true;
    else input.readOnly = true;
    return true;
  }

  prefill(name, value) {
    const dated = name === "expires" && /^\d{4}-/.test(value);
    this[name].value = dated ? "date" : value;
    if (dated) this.date.value = value;
    if (name === "expires") this.date.hidden = !dated;
  }

  formButtons(ask) {
    const buttons = [this.button(ask.form.again ? "Try again" : "Save", () => this.submit(), "primary")];
    if (ask.form.again) buttons.push(this.button("Keep it anyway", () => this.answer({ [ask.name]: "yes" })));
    this.actions.replaceChildren(...buttons, this.button("Cancel", () => this.cancel()));
    return this.key;
  }

  showQuestion(ask) {
    const id = `${this.id}-answer`;
    const cancel = this.button("Cancel", () => this.cancel());
    this.input = null;
    if (ask.choices.length && ask.choices.length <= 3) {
      this.question.append(make("div", { id, class: "asked" }, ask.question));
      const label = (choice) => (ask.name === "workspace" ? choice : choice[0].toUpperCase() + choice.slice(1)); // a name is shown as it is typed
      const buttons = ask.choices.map((choice) => this.button(label(choice), () => this.answer({ [ask.name]: choice }), choice === ask.default ? "primary" : ""));
      for (const button of buttons) button.setAttribute("aria-describedby", id);
      this.actions.replaceChildren(...buttons, cancel);
      const no = buttons[ask.choices.indexOf("no")];
      return buttons.find((button) => button.classList.contains("primary")) ?? no ?? cancel; // without a default, Enter agrees to nothing
    }
    if (ask.choices.length) this.input = make("select", { id }, ...ask.choices.map((choice) => make("option", {}, choice)));
    else this.input = ask.masked ? masked(id) : make("input", { ...UNTOUCHED, id, type: "text" });
    if (!ask.masked && ask.default) this.input.value = ask.default;
    this.question.append(field(id, ask.question, this.input, null, "wide"));
    this.actions.replaceChildren(this.button("OK", () => this.submit(), "primary"), cancel);
    return this.input;
  }

  // ---- what a person does

  submit() {
    if (this.over || !this.ask || this.card.getAttribute("aria-busy")) return;
    const open = this.ask.form ? [this.workspace, this.name] : [this.input].filter((input) => input?.type === "text");
    const misplaced = this.keyIn(...open);
    if (misplaced) return misplaced.focus();
    if (!this.ask.form) return this.input && this.answer({ [this.ask.name]: this.input.value });
    const expires = this.expires.value === "date" ? this.date.value : this.expires.value;
    const workspace = this.workspace.value.trim();
    if (!this.key.value && !this.typed) return this.key.focus();
    if (this.expires.value === "date" && !expires) {
      this.say("The expiry date is incomplete: enter day, month and year, or choose unknown.", "warn");
      return this.date.focus();
    }
    if (workspace && !NAME.test(workspace)) {
      this.say("A workspace's name is at most 64 letters, digits, dots, dashes and underscores.", "warn");
      return this.workspace.focus();
    }
    return this.answer({ key: this.key.value, workspace, name: this.name.value.trim(), expires });
  }

  // The field that holds a key and is not for it, emptied; and it is said why.
  keyIn(...inputs) {
    const key = this.key.value.trim();
    const found = inputs.find(({ value, readOnly }) => !readOnly && (keyShaped(value) || (key.length >= 16 && value.includes(key))));
    if (!found) return null;
    found.value = "";
    this.say(NO_NAME, "warn");
    return found;
  }

  async answer(fields) {
    const { to, widget } = this.ask;
    this.ask = null;
    this.emptyKey(); // the page keeps nothing: what is not sealed below is gone
    if (this.input) this.input.value = "";
    this.showTail(true);
    this.wait();
    try {
      this.send({ kind: "answer", ...(await seal(fields, to, widget)) });
    } catch {
      this.end("This browser could not encrypt the input. Use %mistral_key without --widget.", "bad");
    }
  }

  wait() {
    this.card.setAttribute("aria-busy", "true");
    if (this.hasFocus()) this.said.focus({ preventScroll: true }); // not on Cancel: a second Enter would press it
    this.form.disabled = true;
    this.question.replaceChildren();
    this.actions.replaceChildren(this.button("Cancel", () => this.cancel()));
    this.say("Encrypted and sent …");
    this.slow = setTimeout(() => this.say(this.words.slow, "warn"), SLOW);
  }

  cancel() {
    if (this.over) return;
    this.emptyKey();
    this.say(this.ask ? "Cancelling …" : "Cancelling once the kernel has finished the current step …");
    this.send({ kind: "cancel" });
    this.leave();
  }

  // The keyboard goes on from the cell, or from what else holds the card and can have the focus.
  leave() {
    if (!this.hasFocus()) return;
    const around = this.card.closest(".jp-Cell") ?? this.card.parentElement?.closest("[tabindex]");
    around?.focus({ preventScroll: true });
  }

  hasFocus() {
    return this.card.contains(this.card.getRootNode().activeElement ?? null);
  }

  end(lines, state) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.slow);
    this.emptyKey();
    this.card.removeAttribute("aria-busy");
    this.leave();
    for (const part of [this.why, this.form, this.question, this.actions]) part.remove();
    this.say(lines, state);
  }

  // ---- what is shown

  // One sentence or several. The outcome alone is marked as good: what led to it may say otherwise.
  say(lines, state = "") {
    const all = [lines].flat();
    const before = state === "ok" ? all.splice(0, all.length - 1) : [];
    this.said.replaceChildren(...(before.length ? [this.block(before)] : []), ...(all.length ? [this.block(all, state)] : []));
  }

  // The sign and a word that is heard tell what the colour tells.
  block(lines, state = "") {
    const [sign, word] = SIGNS[state];
    const text = make("div", {}, ...lines.map((line) => make("div", {}, ...linked(line))));
    const block = make("div", { class: `line ${state}` }, text);
    if (word) text.firstChild?.prepend(make("span", { class: "only-heard" }, word));
    if (sign) block.prepend(make("span", { class: "sign", "aria-hidden": "true" }, sign));
    return block;
  }

  showKey(shown) {
    for (const [name, value] of Object.entries(shown ? PLAIN : PASSWORD)) this.key.setAttribute(name, value);
    this.eye.setAttribute("aria-pressed", String(shown));
  }

  emptyKey() {
    this.key.value = "";
    this.showKey(false);
  }

  showTail(sent = false) {
    const { length } = this.key.value;
    this.key.placeholder = sent ? "encrypted and sent" : this.typed ? `…${this.typed}, entered before` : "";
    if (!length) this.check.textContent = "";
    else if (length < 16) this.check.textContent = `${length} characters`;
    else this.check.textContent = `${length} characters, ends with …${this.key.value.trim().slice(-4)}`;
  }

  showHeld() {
    const tail = this.keptTails?.[this.workspace.value.trim()];
    this.holds.textContent = tail ? `holds …${tail} now; it will be replaced once you confirm` : "";
  }

  button(label, act, kind = "") {
    const button = make("button", { type: "button", class: kind }, label);
    button.addEventListener("click", act);
    return button;
  }

  // Never out of a cell in which someone is typing.
  focusOn(node) {
    setTimeout(() => {
      const active = document.activeElement;
      const typing = active && !this.card.contains(active) && active.matches("input, textarea, select, [contenteditable=true]");
      if (!typing && node.isConnected) node.focus({ preventScroll: false });
    }, 60);
  }
}

export default {
  render({ model, el }) {
    const card = new Card(model, el);
    return () => card.stop();
  },
};
