// The names and events of a worker in JavaScript, without a package. Ids are BigInts: numbers end at 2^53.

const IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const MIXES = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
];
const [CHUNK_START, CHUNK_END, ROOT] = [1, 2, 8];

const rotate = (word, by) => ((word >>> by) | (word << (32 - by))) >>> 0;

function compress(chaining, block, flags) {
  const padded = new DataView(new ArrayBuffer(64));
  block.forEach((byte, at) => padded.setUint8(at, byte));
  let words = Array.from({ length: 16 }, (_, index) => padded.getUint32(4 * index, true));
  const state = [...chaining, ...IV.slice(0, 4), 0, 0, block.length, flags];
  const mix = (a, b, c, d, word, first, second) => {
    state[a] = (state[a] + state[b] + word) >>> 0;
    state[d] = rotate(state[d] ^ state[a], first);
    state[c] = (state[c] + state[d]) >>> 0;
    state[b] = rotate(state[b] ^ state[c], second);
  };
  for (let round = 0; round < 7; round++) {
    MIXES.forEach(([a, b, c, d], index) => {
      mix(a, b, c, d, words[2 * index], 16, 12);
      mix(a, b, c, d, words[2 * index + 1], 8, 7);
    });
    words = PERMUTATION.map((place) => words[place]);
  }
  return Array.from({ length: 8 }, (_, index) => (state[index] ^ state[index + 8]) >>> 0);
}

/** BLAKE3 of at most 1,024 bytes, which names never exceed, in hexadecimal. */
export function blake3(bytes) {
  const count = Math.max(1, Math.ceil(bytes.length / 64));
  let chaining = IV;
  for (let index = 0; index < count; index++) {
    const flags = (index === 0 ? CHUNK_START : 0) | (index === count - 1 ? CHUNK_END | ROOT : 0);
    chaining = compress(chaining, bytes.subarray(64 * index, 64 * index + 64), flags);
  }
  const digest = Buffer.alloc(32);
  chaining.forEach((word, index) => digest.writeUInt32LE(word, 4 * index));
  return digest.toString("hex");
}

export function serviceName(namespace, component, layout) {
  const raw = namespace + (layout === "hashed-pipe" ? "|" : "_") + component;
  // The flag `u`: one `_` for a character beyond 16 bits, not two.
  let name = raw.toLowerCase().replace(layout === "plain" ? /[^a-z0-9_-]/gu : /[^a-z0-9_]/gu, "_");
  if (layout !== "plain") name += "_" + blake3(Buffer.from(raw)).slice(-8);
  name = name.replace(/^_+/, "");
  if (name === "") throw new Error("the plain layout has no service name for these names; use a hashed one");
  return name;
}

export function subject(namespace, component, endpoint, workerId, layout) {
  const tail = workerId === null ? endpoint : `${endpoint}-${workerId.toString(16)}`;
  return `${serviceName(namespace, component, layout)}.${tail}`;
}

export const endpointName = (subject) => subject.replaceAll(".", "-").replace(/[^A-Za-z0-9-]/gu, "_");

/** The id in a subject of this endpoint, or null of a static worker. */
export function readSubject(subject, endpoint) {
  const tail = subject.slice(subject.indexOf(".") + 1);
  if (tail === endpoint) return null;
  const id = tail.startsWith(endpoint + "-") ? tail.slice(endpoint.length + 1) : "";
  if (!/^(0|[1-9a-f][0-9a-f]{0,15})$/.test(id)) throw new Error(`no worker of ${endpoint}`);
  return BigInt("0x" + id);
}

/** Reads MessagePack: whole numbers are BigInts. */
export function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (length) => bytes.subarray(at, (at += length));
  const text = (length) => Buffer.from(take(length)).toString();
  const list = (length) => Array.from({ length }, value);
  const map = (length) => Object.fromEntries(Array.from({ length }, () => [value(), value()]));
  const number = (length, read) => [BigInt(read(at)), (at += length)][0];
  const size = (length) => Number(number(length, (at) => (length === 1 ? view.getUint8(at) : length === 2 ? view.getUint16(at) : view.getUint32(at))));
  function value() {
    const kind = view.getUint8(at++);
    if (kind <= 0x7f) return BigInt(kind);
    if (kind <= 0x8f) return map(kind & 15);
    if (kind <= 0x9f) return list(kind & 15);
    if (kind <= 0xbf) return text(kind & 31);
    if (kind >= 0xe0) return BigInt(kind - 256);
    switch (kind) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return take(size(1 << (kind - 0xc4)));
      case 0xca: return [view.getFloat32(at), (at += 4)][0];
      case 0xcb: return [view.getFloat64(at), (at += 8)][0];
      case 0xcc: case 0xcd: case 0xce: return BigInt(size(1 << (kind - 0xcc)));
      case 0xcf: return number(8, (at) => view.getBigUint64(at));
      case 0xd9: case 0xda: case 0xdb: return text(size(1 << (kind - 0xd9)));
      case 0xdc: case 0xdd: return list(size(kind === 0xdc ? 2 : 4));
      case 0xde: case 0xdf: return map(size(kind === 0xde ? 2 : 4));
      default: throw new Error(`the byte ${kind} begins nothing that is known`);
    }
  }
  return value();
}

/** Reads JSON whose whole numbers may exceed 2^53. */
export function parse(text) {
  const quoted = text.replace(/([:[,]\s*)(-?\d+)(?=\s*[,}\]])/g, '$1"#$2"');
  return JSON.parse(quoted, (_, value) => (typeof value === "string" && /^#-?\d+$/.test(value) ? BigInt(value.slice(1)) : value));
}

/** The publisher, if the message is in an envelope, and the event. */
export function readEvent(bytes) {
  if (bytes[0] === 0x7b) return { publisher: null, event: parse(Buffer.from(bytes).toString()) };
  const message = unpack(bytes);
  if (!(message.payload instanceof Uint8Array)) return { publisher: null, event: message };
  const { payload, topic, ...publisher } = message;
  return { publisher, topic, event: unpack(payload) };
}
