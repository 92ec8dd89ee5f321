// @ts-check
// The page's side of a kernel with mistral_nb: its state, and what it is asked to do. The kernel's side is page_link.py.
//
// The kernel registers a comm and never opens it. It is found once for each connection, and again at its `hello`; nothing
// is polled. What is typed or pasted goes to the kernel sealed (sealing.js), never in plain text.

import { canSeal, seal } from "./sealing.js";

const TARGET = "mistral_nb"; // as in page_link.py
const SUBSHELL_SECONDS = 2;
const FOUND_SECONDS = 5;
const LOST = "This page has lost its connection to the kernel. Try again when the server can be reached.";
const INSECURE = "This page is not at https or localhost, so it can't encrypt a key. Run %mistral_key login in a cell.";
const STORES = ["keyring", "file"]; // as in storage/index.py, without the kernel's memory
const ENDS = ["done", "refused", "cancelled", "failed"];

/** @typedef {import("@jupyterlab/apputils").ISessionContext} SessionContext */
/** @typedef {import("@jupyterlab/services").Kernel.IKernelConnection} Connection */
/** @typedef {import("@jupyterlab/services").Kernel.IComm} Comm */
/** @typedef {import("@jupyterlab/services").KernelMessage.IMessage} Message */
/** @typedef {Record<string, any>} Data a message's data: a flat object */
/**
 * @typedef {object} KernelState as page_link.py describes it
 * @property {{workspace: string, tail: string, kept: boolean, expires: string | null, refused: boolean} | null} key
 * @property {Record<string, string>} workspaces tails by name
 * @property {boolean} guarded
 * @property {string} guard
 * @property {boolean} covered
 * @property {string} saves
 * @property {string} home
 * @property {string} machine
 */
/**
 * @typedef {object} Outcome how a request ended
 * @property {"done" | "refused" | "cancelled" | "failed"} kind
 * @property {string} text a sentence for the person
 * @property {string} [workspace]
 * @property {string} [tail]
 * @property {boolean} isStored whether the key outlives the kernel: it is in a keyring or in the encrypted file
 * @property {string[]} notes
 * @property {[string, string, string, string][]} rows label, value, state, repair
 */
/**
 * @typedef {object} Talk what a request says on its way
 * @property {(text: string) => void} [step] a line of progress
 * @property {(question: Question) => Promise<string | null>} [ask] null: cancel
 * @property {(send: (message: Data) => void) => void} [opened] of a request with a card: called once, with what brings its messages
 * @property {(message: Data) => void} [card] a message for card.js
 */
/** @typedef {{question: string, choices: string[], default: string | null, masked: boolean}} Question */
/** @typedef {"none" | "looking" | "absent" | "ready"} Reach whether there is a kernel with mistral_nb: `absent` means without */

/** @type {WeakMap<SessionContext, KernelLink>} */
const links = new WeakMap();

/**
 * The link of a notebook; one for all views of it.
 *
 * @param {{sessionContext: SessionContext}} panel
 */
export function linkFor(panel) {
  let link = links.get(panel.sessionContext);
  if (!link) {
    link = new KernelLink(panel.sessionContext);
    links.set(panel.sessionContext, link);
  }
  return link;
}

export class KernelLink {
  /** @param {SessionContext} sessionContext */
  constructor(sessionContext) {
    this.sessionContext = sessionContext;
    /** @type {Reach} */
    this.reach = "none";
    /** @type {KernelState | null} */
    this.state = null;
    /** @type {Comm | null} */
    this.comm = null;
    /** @type {Connection | null} */
    this.connection = null;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** @type {Map<string, (data: Data) => void>} by the request's number */
    this.requests = new Map();
    /** @type {(kernel: unknown, message: Message) => void} */
    this.heard = (_, message) => this.hear(message);
    sessionContext.kernelChanged.connect(() => this.connect());
    sessionContext.statusChanged.connect((_, status) => this.noticeStatus(status));
    sessionContext.connectionStatusChanged.connect((_, status) => this.noticeConnection(status));
    this.connect();
  }

  /** Whether the kernel reads what it is sent only when the running cell is done. */
  get mustWait() {
    return this.connection?.status === "busy" && !this.connection.supportsSubshells;
  }

  /** Whether what is sent waits until the server can be reached again. */
  get isCutOff() {
    return this.connection !== null && this.connection.connectionStatus !== "connected";
  }

  /**
   * @param {() => void} callback called when the state or the reach has changed
   * @returns {() => void} ends that
   */
  onState(callback) {
    this.listeners.add(callback);
    return () => this.listeners.delete(callback);
  }

  /**
   * Until the kernel is started and has answered whether it has mistral_nb. One that is busy answers later than this waits.
   *
   * @returns {Promise<void>}
   */
  async found() {
    const { sessionContext } = this;
    await new Promise((resolve) => {
      const late = setTimeout(() => end(), FOUND_SECONDS * 1000);
      const check = () => {
        const isAnswered = this.reach === "ready" ? this.state !== null : this.reach !== "looking";
        if (sessionContext.isReady && isAnswered) {
          end();
        }
      };
      const stop = this.onState(check);
      const end = () => {
        stop();
        clearTimeout(late);
        resolve(undefined);
      };
      sessionContext.ready.then(check, check);
    });
  }

  /**
   * Keep a key, as `%mistral_key login` does: checked by Mistral, stored, and set in the kernel.
   *
   * @param {string} text the key
   * @param {string} workspace its name here, or "" for that at Mistral
   * @param {Talk} [talk]
   */
  keep(text, workspace, talk = {}) {
    const secret = { key: text };
    return this.request({ kind: "seal?" }, talk, async (answer) => {
      const sealed = await seal(secret, answer.to, answer.widget);
      secret.key = "";
      return { kind: "keep", workspace, ...sealed };
    });
  }

  /**
   * Keep a key that the server has set aside, by its id.
   *
   * @param {string} id
   * @param {string} workspace
   * @param {Talk} [talk]
   */
  keepAside(id, workspace, talk = {}) {
    return this.request({ kind: "keep-aside", id, workspace }, talk);
  }

  /**
   * @param {string} workspace
   * @param {Talk} [talk]
   */
  switchTo(workspace, talk = {}) {
    return this.request({ kind: "switch", workspace }, talk);
  }

  /**
   * Run `%mistral_key login` with the card, which the page shows.
   *
   * @param {Talk} talk
   */
  enter(talk) {
    return this.request({ kind: "enter" }, talk);
  }

  /** The report of `%mistral_key status`. */
  status() {
    return this.request({ kind: "status" }, {});
  }

  // ---- requests

  /**
   * @param {Data} first
   * @param {Talk} talk
   * @param {(answer: Data) => Promise<Data>} [afterSeal]
   * @returns {Promise<Outcome>} never rejects
   */
  request(first, talk, afterSeal) {
    const n = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    return new Promise((resolve) => {
      const end = (/** @type {Data} */ data) => {
        this.requests.delete(n);
        resolve(toOutcome(data));
      };
      const handle = async (/** @type {Data} */ data) => {
        if (data.kind === "seal" && afterSeal) {
          this.send({ ...(await afterSeal(data)), n });
        } else if (data.kind === "step") {
          talk.step?.(data.text);
        } else if (data.kind === "card") {
          talk.card?.(data.card);
        } else if (data.kind === "ask") {
          await this.answer(n, data, talk);
        } else if (ENDS.includes(data.kind)) {
          end(data);
        }
      };
      this.requests.set(n, (data) => {
        handle(data).catch(() => end({ kind: "failed", text: "This browser could not encrypt the key. Nothing was sent." }));
      });
      if (this.isCutOff || !this.send({ ...first, n })) {
        end({ kind: "failed", text: this.problem() });
      } else {
        talk.opened?.((message) => this.send({ ...message, n }));
      }
    });
  }

  /**
   * @param {string} n
   * @param {Data} data
   * @param {Talk} talk
   */
  async answer(n, data, talk) {
    const question = { question: data.question, choices: data.choices, default: data.default, masked: data.masked };
    const answer = await (talk.ask?.(question) ?? Promise.resolve(null));
    if (answer === null) {
      this.send({ kind: "cancel", n });
    } else {
      const said = data.masked ? await seal({ answer }, data.to, data.widget) : { answer };
      this.send({ kind: "answer", n, ...said });
    }
  }

  /** Why no key can be given to the kernel, and what to do, in two sentences; "" if one can. */
  keepProblem() {
    return this.problem() || (canSeal() ? "" : INSECURE);
  }

  /** Why nothing can be asked of the kernel, and what to do, in two sentences; "" if it can. */
  problem() {
    switch (this.reach) {
      case "ready":
        return this.isCutOff ? LOST : "";
      case "none":
        return "This notebook has no kernel. Start one, and run %load_ext mistral_nb in a cell.";
      case "looking":
        return "The kernel has not answered yet: it is starting, or a cell is running. Try again when it is idle.";
      default:
        return "mistral_nb is not loaded in this notebook's kernel. Run %load_ext mistral_nb in a cell.";
    }
  }

  /**
   * @param {Data} data
   * @returns {boolean} whether there is a kernel to send it to
   */
  send(data) {
    if (this.comm === null || this.comm.isDisposed) {
      return false;
    }
    this.comm.send(/** @type {any} */ (data));
    return true;
  }

  // ---- the connection

  connect() {
    const connection = this.sessionContext.session?.kernel ?? null;
    if (connection !== this.connection) {
      this.connection?.iopubMessage.disconnect(this.heard);
      connection?.iopubMessage.connect(this.heard);
      this.connection = connection;
      this.drop(connection ? "looking" : "none");
    }
    void this.find();
  }

  /** @param {string} status `disconnected`: JupyterLab has given up; while it is `connecting`, requests go on */
  noticeConnection(status) {
    if (status === "connected") {
      this.connect();
    } else if (status === "disconnected") {
      this.endRequests(LOST);
    }
  }

  /** @param {string} status */
  noticeStatus(status) {
    if (["restarting", "autorestarting", "starting", "dead", "terminating"].includes(status)) {
      this.drop(status === "dead" || status === "terminating" ? "none" : "absent");
    }
  }

  /**
   * Look for the kernel's comm. The kernel answers when it is idle. After a broken connection it is the one there was,
   * unless the kernel was restarted meanwhile: so requests go on until that is known.
   */
  async find() {
    const { connection, comm } = this;
    if (!connection) {
      this.drop("none");
      return;
    }
    if (!comm) {
      this.change("looking");
    }
    const isCurrent = () =>
      connection === this.connection && comm === this.comm && (comm !== null || this.reach === "looking");
    try {
      const reply = await connection.requestCommInfo({ target_name: TARGET });
      const comms = "comms" in reply.content ? Object.keys(reply.content.comms) : [];
      if (isCurrent()) {
        await this.attach(comms.at(-1));
      }
    } catch {
      if (isCurrent() && !comm) {
        this.change("absent"); // the kernel was shut down meanwhile
      }
    }
  }

  /** @param {string | undefined} id of the comm */
  async attach(id) {
    if (id === undefined || !this.connection) {
      this.drop("absent");
      return;
    }
    if (this.comm?.commId === id && !this.comm.isDisposed) {
      this.send({ kind: "state?" });
      return;
    }
    if (this.comm && this.comm.commId !== id) {
      this.drop("looking");
    }
    this.forgetComm();
    const comm = this.connection.createComm(TARGET, id);
    comm.onMsg = ({ content }) => this.take(/** @type {Data} */ (content.data));
    this.comm = comm;
    this.change("looking"); // so that nobody is told that it is absent
    await subshellStarted(this.connection, comm);
    if (this.comm === comm) {
      this.change("ready");
      this.send({ kind: "state?" });
    }
  }

  /** @param {Message} message a kernel that has just loaded mistral_nb says hello on a comm that no page knows */
  hear(message) {
    const { content } = /** @type {{content: {comm_id?: string, data?: Data}}} */ (/** @type {unknown} */ (message));
    if (message.header.msg_type !== "comm_msg" || content.data?.target !== TARGET) {
      return;
    }
    if (content.data.kind === "hello") {
      void this.attach(content.comm_id).catch(() => this.drop("absent"));
    }
  }

  /** @param {Data} data */
  take(data) {
    if (data.kind === "state") {
      this.state = data.problem ? this.state : /** @type {KernelState} */ (data);
      this.change("ready");
    } else if (data.kind === "bye") {
      this.drop("absent");
    } else if (typeof data.n === "string") {
      this.requests.get(data.n)?.(data);
    }
  }

  /** @param {Reach} reach */
  drop(reach) {
    this.forgetComm();
    this.state = null;
    this.endRequests("The kernel was restarted or stopped before it answered. Try again.");
    this.change(reach);
  }

  /** @param {string} text why they failed */
  endRequests(text) {
    for (const end of [...this.requests.values()]) {
      end({ kind: "failed", text });
    }
  }

  forgetComm() {
    // Disposed and not closed: the kernel's side stays for other pages.
    this.comm?.dispose();
    this.comm = null;
  }

  /** @param {Reach} reach */
  change(reach) {
    this.reach = reach;
    for (const callback of [...this.listeners]) {
      callback();
    }
  }
}

/**
 * Until it has a subshell of its own, a comm's messages wait for the running cell, and so do those sent after them.
 *
 * @param {Connection} connection
 * @param {Comm} comm
 */
async function subshellStarted(connection, comm) {
  const { subshellStarted: started } = /** @type {{subshellStarted?: Promise<unknown>}} */ (/** @type {unknown} */ (comm));
  if (connection.supportsSubshells && started) {
    const late = new Promise((resolve) => setTimeout(resolve, SUBSHELL_SECONDS * 1000));
    await Promise.race([Promise.resolve(started).catch(() => undefined), late]);
  }
}

/**
 * @param {Data} data
 * @returns {Outcome}
 */
function toOutcome(data) {
  const { kind, workspace, tail } = data;
  const isStored = kind === "done" && STORES.includes(data.store);
  return { kind, workspace, tail, isStored, text: data.text ?? data.title ?? "", notes: data.notes ?? [], rows: data.rows ?? [] };
}
