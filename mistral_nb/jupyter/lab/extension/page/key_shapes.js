// @ts-check
// Whether a text that is about to be pasted holds a Mistral key. It only decides about a question: what is taken out of a
// file is decided in Python, by the rule of docs/attribution.md, of which this is the part that a line and a call show.

import { fingerprint } from "./blake2b.js";
import { MARKER } from "./removed_text.js";

/**
 * @typedef {object} RememberedKey a key that this machine has seen
 * @property {string} fingerprint
 * @property {number} length
 * @property {string} tail
 */

const NAMES_MISTRAL = /mistral|codestral|ministral|magistral/i;
const RUN = /[A-Za-z0-9]{32,}/g;
const KEY_TEXT = /^[A-Za-z0-9_-]+$/;
const MOST_HASHED = 200; // texts that end as a remembered key does, in one paste: 0.15 ms each
const MOST_SHAPED = 2000; // key-shaped texts in one paste: 0.03 ms each
const SHAPE = /^[A-Za-z0-9]{32}$/;
const GOES_ON = /[A-Za-z0-9+/=_-]/;
const WORD = /[A-Z]?[a-z]+|[A-Z]+|[0-9]+/g;
const FEWEST_WORDS = 10; // as placeholders.py: a model's or a class's name has fewer
const FEWEST_DISTINCT = 10;
const PLACEHOLDER = /x{6}|example|key_?here|api_?key|placeholder|changeme|redacted/i;
const KEEP = /#\s*mistral-nb:\s*keep/;
const REACH = 600; // characters looked at on each side
const STATEMENT = 200; // characters of a call or mapping, on each side, in the lines around
const IDENTIFIER = /[A-Za-z_][\w-]*/g;
const LABEL_WORD = /[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+/g;
const IN_ADDRESS = /https?:\/\/[^\s"'`<>]*$/;
const MISTRAL_HOST = /https:\/\/[\w.-]*mistral[\w.-]*|Mistral\w*\(/i;
const OTHER_HOST = /https?:\/\/(?!localhost|127\.|[\w.-]*(?:example|openai)\.com|[\w.-]*mistral)[\w.-]+\.\w+/;

/** @param {string} words */
const listOf = (words) => new Set(words.split(" "));
// The lists are those of label_words.py, without what no label of a key has.
const IDENTIFIERS = listOf(
  "boundary captcha challenge checksum cid commit cookie csrf cursor digest etag fingerprint guid hash id iv nonce oid" +
    " pid requestid revision salt session sid sig signature state tid traceid uid uuid verifier viewstate xsrf",
);
const HASH_NAME = /^(?:sha\d*|md\d|blake\d\w?|crc\d*)$/;
const KEY_WORDS = listOf(
  "accesskey accesstoken apikey apitoken authorization authtoken bearer cred credential credentials key keys pass passwd" +
    " password pat pwd secret secretkey secrets token tokens",
);
const EVERYDAY = listOf(
  "accept access account add admin agent answer argument api app ask auth backup base bot build builder call chat chatgpt chatopenai cfg" +
    " client config configuration conn connect connection content create ctx current custom data default demo dev dict document dotenv embed" +
    " embeddings env environ environment example export extra field final first function gen generate get getenv getpass" +
    " global gpt hardcoded header headers her his http httpx import index init input kwargs let live llm json load local login" +
    " main make master message model mcp name names new none note notebook null object ocr old open openai option" +
    " options org organisation organization our out own param parameters params parser paid personal post primary print private" +
    " prod production project provider public put putenv read real request requests response rest retries run sample" +
    " save sdk search second secondary secretstr self service session set setdefault setenv setting settings setx shared" +
    " small source str streamlit string test text the this tmp type unset update url urls use user userdata val value" +
    " values var variable variables version with workspace write your",
);

/**
 * A key in a text, or null. Remembered keys are found wherever they stand, also within a longer word; others, the first
 * of them, where the document names Mistral and nothing around them says that they are something else.
 *
 * @param {string} text what is pasted
 * @param {object} around
 * @param {string} around.before the text before the cursor, in its cell or file
 * @param {string} around.after the text after it
 * @param {() => boolean} around.namesMistral whether the rest of the document does; asked only if a key-shaped text is there
 * @param {readonly RememberedKey[]} remembered
 * @returns {{key: string, isRemembered: boolean} | null}
 */
export function findKey(text, around, remembered) {
  const whole = `${around.before.slice(-REACH)}${text}${around.after.slice(0, REACH)}`;
  const offset = Math.min(around.before.length, REACH);
  const known = findRemembered(text, remembered);
  if (known) {
    return { key: known, isRemembered: true };
  }
  /** @type {boolean | undefined} */
  let isNamed;
  let shaped = 0;
  for (const match of text.matchAll(RUN)) {
    const word = match[0];
    const start = offset + match.index;
    if (shaped < MOST_SHAPED && hasKeyShape(word) && standsAlone(whole, start, word.length)) {
      shaped++;
      isNamed ??= namesMistral(whole) || around.namesMistral();
      if (isNamed && !isSomethingElse(whole, start, start + word.length)) {
        return { key: word, isRemembered: false };
      }
    }
  }
  return null;
}

/** @param {string} text */
export const namesMistral = (text) => NAMES_MISTRAL.test(text.replaceAll(MARKER, ""));

/**
 * @param {string} text
 * @param {readonly RememberedKey[]} remembered
 * @returns {string | null}
 */
function findRemembered(text, remembered) {
  const tails = [...new Set(remembered.map(({ tail }) => tail))].filter((tail) => KEY_TEXT.test(tail));
  if (tails.length === 0) {
    return null;
  }
  const ends = new RegExp(tails.join("|"), "g");
  let hashed = 0;
  for (let match = ends.exec(text); match && hashed < MOST_HASHED; match = ends.exec(text)) {
    const [tail] = match;
    const end = match.index + tail.length;
    ends.lastIndex = match.index + 1; // ends may overlap
    const lengths = new Set(remembered.filter((key) => key.tail === tail).map(({ length }) => length));
    for (const length of lengths) {
      const word = end >= length ? text.slice(end - length, end) : "";
      const own = KEY_TEXT.test(word) && ++hashed ? fingerprint(word) : null;
      if (own && remembered.some((key) => key.fingerprint === own)) {
        return word;
      }
    }
  }
  return null;
}

/**
 * 32 letters and digits as chance makes them; so neither a digest nor a name.
 *
 * @param {string} word
 */
export function hasKeyShape(word) {
  return (
    SHAPE.test(word) &&
    [/[A-Z]/, /[a-z]/, /[0-9]/].every((kind) => kind.test(word)) &&
    (word.match(WORD) ?? []).length >= FEWEST_WORDS &&
    new Set(word).size >= FEWEST_DISTINCT &&
    !PLACEHOLDER.test(word)
  );
}

/**
 * @param {string} whole
 * @param {number} start
 * @param {number} length
 */
function standsAlone(whole, start, length) {
  const before = start > 0 ? whole[start - 1] : "";
  const after = whole[start + length] ?? "";
  return !(GOES_ON.test(before) && before !== "=") && !GOES_ON.test(after);
}

/**
 * Whether what stands around it says that it is no key of Mistral's: the nearest name that says whose it is decides.
 *
 * @param {string} whole
 * @param {number} start
 * @param {number} end
 */
function isSomethingElse(whole, start, end) {
  const before = whole.slice(Math.max(0, start - STATEMENT), start);
  const line = before.slice(before.lastIndexOf("\n") + 1);
  const after = whole.slice(end, end + STATEMENT).split("\n", 1)[0];
  if (KEEP.test(line + after) || IN_ADDRESS.test(line)) {
    return !MISTRAL_HOST.test(line);
  }
  const statement = isOpen(line) || line.trim() === "" ? before : line;
  const names = [...statement.matchAll(IDENTIFIER)].filter(([name]) => name.length > 1).reverse();
  if (names.length && isIdentifier(names[0][0])) {
    return true;
  }
  for (const name of names) {
    const what = whoseName(name[0], statement[name.index + name[0].length]);
    if (what !== "nobody") {
      return what === "other" && !MISTRAL_HOST.test(statement + after);
    }
  }
  return OTHER_HOST.test(line + after) && !MISTRAL_HOST.test(line + after);
}

/**
 * Whether a line goes on from the lines above, as far as that shows.
 *
 * @param {string} line
 */
const isOpen = (line) => /^\s/.test(line);

/** @param {string} name */
function isIdentifier(name) {
  const last = wordsOf(name).at(-1) ?? "";
  return IDENTIFIERS.has(last.replace(/s$/, "")) || HASH_NAME.test(last);
}

/**
 * @param {string} name
 * @param {string | undefined} next the character after it
 * @returns {"mistral" | "other" | "nobody"}
 */
function whoseName(name, next) {
  if (NAMES_MISTRAL.test(name)) {
    return "mistral";
  }
  const words = wordsOf(name);
  const isForeign = words.some((word) => word.length > 2 && !EVERYDAY.has(word) && !KEY_WORDS.has(word) && !/^\d/.test(word));
  const isOwner = words.some((word) => KEY_WORDS.has(word)) || next === "(" || next === "." || next === '"';
  return isForeign && isOwner ? "other" : "nobody";
}

/** @param {string} name */
const wordsOf = (name) => (name.match(LABEL_WORD) ?? []).map((word) => word.toLowerCase().replace(/(?<=[a-z]{3})\d+$/, ""));
