// @ts-check
// Encrypts what was typed or pasted for one public key of a kernel, with WebCrypto. The kernel's side is sealing.py
// in mistral_nb/, which says what this does and does not protect from.
//
// It stands in two places: the card is one text with it (anywidget_channel.py), and JupyterLab loads it as a module.

const INFO = "mistral-nb sealed prompt 1";

/** @param {string} text */
const toBytes = (text) => new TextEncoder().encode(text);
/** @param {ArrayBuffer | Uint8Array} buffer */
const toBase64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
/** @param {string} text */
const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Whether this page can encrypt: it is at https or localhost. */
export const canSeal = () => Boolean(globalThis.isSecureContext && globalThis.crypto?.subtle);

/**
 * @param {Record<string, string>} fields
 * @param {string} to the kernel's public key for this one message
 * @param {string} widget the id of the widget or comm that the kernel made the key for
 */
export async function seal(fields, to, widget) {
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const subtle = crypto.subtle;
  const theirs = fromBase64(to);
  const pair = await subtle.generateKey(curve, false, ["deriveBits"]);
  const own = new Uint8Array(await subtle.exportKey("raw", pair.publicKey));
  const kernel = await subtle.importKey("raw", theirs, curve, false, []);
  const shared = await subtle.deriveBits({ name: "ECDH", public: kernel }, pair.privateKey, 256);
  const secret = await subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array([...theirs, ...own]), info: toBytes(INFO) };
  const key = await subtle.deriveKey(derivation, secret, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const cipher = { name: "AES-GCM", iv, additionalData: toBytes(widget) };
  const sealed = await subtle.encrypt(cipher, key, toBytes(JSON.stringify(fields)));
  return { to, public: toBase64(own), iv: toBase64(iv), sealed: toBase64(sealed) };
}
