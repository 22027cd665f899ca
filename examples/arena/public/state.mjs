// A room's declared state, read from the server's frames: docs/protocol.md, "Declared state", has each bit. What plain()
// returns is never changed; it shares with the one before what stayed the same.

const KINDS = { 1: ["bool", 1], 2: ["uint", 8], 3: ["uint", 16], 4: ["uint", 32], 5: ["int", 8], 6: ["int", 16], 7: ["int", 32],
  8: ["float", 32], 9: ["float", 64], 10: ["uint", 53], 11: ["string"], 12: ["quantized"], 13: ["record"], 14: ["map"], 15: ["list"] };
const utf8 = new TextDecoder("utf-8", { fatal: true });

class Bits {
  constructor(bytes) {
    Object.assign(this, { bytes, at: 0 });
  }

  /** At most 53. */
  take(count) {
    let value = 0;
    while (count > 0) {
      const room = 8 - (this.at & 7);
      const part = Math.min(room, count);
      if (this.at >> 3 >= this.bytes.length) throw new RangeError("the bits end too soon");
      value = value * 2 ** part + ((this.bytes[this.at >> 3] >> (room - part)) & (2 ** part - 1));
      this.at += part;
      count -= part;
    }
    return value;
  }

  wide(count) {
    return (BigInt(this.take(Math.max(0, count - 32))) << 32n) | BigInt(this.take(Math.min(32, count)));
  }

  golomb(k) {
    let zeros = 0;
    while (this.take(1) === 0) if (++zeros > 24) throw new RangeError("a number that is too large");
    return (2 ** zeros + this.take(zeros) - 1) * 2 ** k + this.take(k);
  }

  text() {
    return utf8.decode(Uint8Array.from({ length: this.golomb(4) }, () => this.take(8)));
  }

  /** Numbers that rise, as items of maps and lists are told by. */
  *numbers() {
    const count = this.golomb(0);
    const k = count && this.take(3);
    for (let i = 0, next = 0; i < count; i++, next++) yield (next += this.golomb(k));
  }
}

// --- what a state is made of

function readType(source) {
  const u8 = () => source.bytes[source.at++];
  const real = () => new DataView(source.bytes.buffer, source.bytes.byteOffset + (source.at += 8) - 8, 8).getFloat64(0);
  const [kind, bits] = KINDS[u8()];
  const type = { kind, bits };
  if (kind === "quantized") {
    Object.assign(type, { min: real(), max: real(), bits: u8() });
  } else if (kind === "record") {
    type.members = Array.from({ length: u8() }, () => {
      const name = utf8.decode(source.bytes.subarray(source.at + 1, (source.at += 1 + source.bytes[source.at])));
      return { name, type: readType(source) };
    });
  } else if (!bits) {
    source.at += 4; // the most bytes or items
    if (kind !== "string") type.of = readType(source);
  }
  if (kind === "record") type.leaves = type.members.flatMap((member) => leavesOf(member.type)); // also of records in it
  return type;
}

const leavesOf = (type) => type.leaves ?? [type];

function initial({ kind, bits, min, max }) {
  if (kind === "string") return "";
  if (kind === "map" || kind === "list") return new Map();
  const u = kind === "quantized" ? Math.floor((Math.min(Math.max(0, min), max) - min) * ((2 ** bits - 1) / (max - min)) + 0.5) : 0;
  return bits > 8 ? BigInt(u) : u;
}

/** A record, or what else an item is: its leaves' values, numbers as their bits. */
const fresh = (type) => ({ type, values: leavesOf(type).map(initial), plain: undefined });

// --- reading changes

function readValue(bits, type, before) {
  if (type.kind === "string") return bits.text();
  if (type.kind === "bool") return 1 - before;
  if (type.bits <= 8) return bits.take(type.bits);
  const d = bits.wide((type.bits * (bits.take(2) + 1) + 3) >> 2);
  if (type.kind === "float") return before ^ d;
  return BigInt.asUintN(type.bits, before + (d & 1n ? -(d + 1n) / 2n : d / 2n));
}

const resized = (list, length, added) => [...list.slice(0, length), ...added(Math.max(0, length - list.length))];

function spliced(bits, list, added) {
  for (let left = bits.golomb(0) + 1, at = 0; left > 0; left--) {
    at += bits.golomb(4);
    const removed = bits.golomb(0);
    const inserted = added(bits.golomb(0));
    list.splice(at, removed, ...inserted);
    at += inserted.length;
  }
  return list;
}

function readItems(bits, type, items) {
  if (type.kind === "map") {
    for (const number of bits.numbers()) items.delete(number);
  } else if (bits.take(1)) {
    const places = [...items.values()];
    const added = (count) => Array.from({ length: count }, () => ({ record: fresh(type.of) }));
    const list = bits.take(1) ? spliced(bits, places, added) : resized(places, bits.golomb(4), added);
    items = new Map(list.entries());
  }
  let mask;
  for (const number of bits.numbers()) {
    if (!items.has(number)) {
      if (type.kind === "list") throw new RangeError(`no item ${number}`);
      items.set(number, { key: bits.text(), record: fresh(type.of) });
    }
    mask = readRecord(bits, items.get(number).record, mask);
  }
  return items;
}

function readRecord(bits, record, maskBefore) {
  const leaves = leavesOf(record.type);
  const mask = maskBefore !== undefined && bits.take(1) ? maskBefore : bits.wide(leaves.length);
  record.plain = undefined;
  leaves.forEach((leaf, i) => {
    if (!((mask >> BigInt(leaves.length - 1 - i)) & 1n)) return;
    record.values[i] = (leaf.of ? readItems : readValue)(bits, leaf, record.values[i]);
  });
  return mask;
}

// --- as plain objects

const scratch = new DataView(new ArrayBuffer(8));

function plainValue({ kind, bits, min, max }, value) {
  if (kind === "string") return value;
  if (kind === "map") return Object.fromEntries(Array.from(value.values(), ({ key, record }) => [key, plainRecord(record)]));
  if (kind === "list") return Array.from({ length: value.size }, (_, i) => plainRecord(value.get(i).record));
  if (kind === "bool") return value === 1;
  if (kind === "int") return Number(BigInt.asIntN(bits, BigInt(value)));
  if (kind === "quantized") return min + (Number(value) * (max - min)) / (2 ** bits - 1);
  if (kind === "uint") return Number(value);
  scratch.setBigUint64(0, bits === 32 ? value << 32n : value);
  return bits === 32 ? scratch.getFloat32(0) : scratch.getFloat64(0);
}

/** Takes as many of the values as the type has leaves. */
function plainOf(type, values) {
  if (type.kind !== "record") return plainValue(type, values.shift());
  return Object.fromEntries(type.members.map((member) => [member.name, plainOf(member.type, values)]));
}

const plainRecord = (record) => (record.plain ??= plainOf(record.type, [...record.values]));

/** A state of the schema's bytes. What it is given and can't read is an exception; a snapshot mends it then. */
export class State {
  constructor(schema) {
    this.type = readType({ bytes: schema, at: 1 });
    this.version = undefined;
  }

  load(snapshot) {
    this.version = new DataView(snapshot.buffer, snapshot.byteOffset).getUint32(0);
    this.root = fresh(this.type);
    readRecord(new Bits(snapshot.subarray(4)), this.root);
  }

  /** False where a delta is missing. */
  apply(delta) {
    if (this.version === undefined || delta[0] !== (this.version + 1) % 256) return false;
    this.version++;
    readRecord(new Bits(delta.subarray(this.version % 64 ? 1 : 5)), this.root); // past the hash
    return true;
  }

  plain() {
    return plainRecord(this.root);
  }
}
