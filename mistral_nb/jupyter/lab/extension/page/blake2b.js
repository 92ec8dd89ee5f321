// @ts-check
// The fingerprint of a key, as `api_key.fingerprint` in Python: BLAKE2b-128, personalised. WebCrypto has no BLAKE2b.
// https://www.rfc-editor.org/rfc/rfc7693

const PERSONALISATION = "mistral-nb";
const DIGEST = 16; // bytes
const BLOCK = 128; // bytes: a key has at most as many, so there is one block
const MASK = (1n << 64n) - 1n;
const IV = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];
const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const COLUMNS_AND_DIAGONALS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];
const ROUNDS = 12;

/**
 * @param {string} text at most 128 characters of ASCII
 * @returns {string} 32 lower-case hex digits
 */
export function fingerprint(text) {
  const state = initialState();
  const words = toWords(text, BLOCK);
  const v = [...state, ...IV];
  v[12] ^= BigInt(text.length);
  v[14] ^= MASK; // the last block
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = SIGMA[round % SIGMA.length];
    COLUMNS_AND_DIAGONALS.forEach((places, n) => mix(v, places, words[order[2 * n]], words[order[2 * n + 1]]));
  }
  return toHex(state.map((word, n) => word ^ v[n] ^ v[n + 8])).slice(0, 2 * DIGEST);
}

function initialState() {
  const state = [...IV];
  state[0] ^= BigInt(0x01010000 | DIGEST); // no key, one node
  const [first, second] = toWords(PERSONALISATION, 16);
  state[6] ^= first;
  state[7] ^= second;
  return state;
}

/**
 * @param {bigint[]} v
 * @param {number[]} places
 * @param {bigint} x
 * @param {bigint} y
 */
function mix(v, [a, b, c, d], x, y) {
  v[a] = (v[a] + v[b] + x) & MASK;
  v[d] = rotateRight(v[d] ^ v[a], 32n);
  v[c] = (v[c] + v[d]) & MASK;
  v[b] = rotateRight(v[b] ^ v[c], 24n);
  v[a] = (v[a] + v[b] + y) & MASK;
  v[d] = rotateRight(v[d] ^ v[a], 16n);
  v[c] = (v[c] + v[d]) & MASK;
  v[b] = rotateRight(v[b] ^ v[c], 63n);
}

/**
 * @param {bigint} word
 * @param {bigint} bits
 */
const rotateRight = (word, bits) => ((word >> bits) | (word << (64n - bits))) & MASK;

/**
 * The text's bytes as words of 64 bits, filled with zeros to `size` bytes.
 *
 * @param {string} text
 * @param {number} size
 */
function toWords(text, size) {
  const bytes = new Uint8Array(size);
  bytes.set(new TextEncoder().encode(text).subarray(0, size));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: size / 8 }, (_, n) => view.getBigUint64(8 * n, true));
}

/** @param {bigint[]} words */
function toHex(words) {
  const bytes = new DataView(new ArrayBuffer(8 * words.length));
  words.forEach((word, n) => bytes.setBigUint64(8 * n, word, true));
  return [...new Uint8Array(bytes.buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
