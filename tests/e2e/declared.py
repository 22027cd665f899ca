"""Declared states from the protocol's description alone (docs/protocol.md, "Declared state" and "Rooms in frames"): schemas,
snapshots, deltas, hashes. Nothing here knows the server's code. What is not as it is written there is an AssertionError."""
import math
import struct

PLAIN = {1: ("bool", 1), 2: ("uint", 8), 3: ("uint", 16), 4: ("uint", 32), 5: ("int", 8), 6: ("int", 16), 7: ("int", 32),
         8: ("float", 32), 9: ("float", 64), 10: ("uint", 53)}
FLOATS = {32: (">I", ">f"), 64: (">Q", ">d")}
ROOM_SCHEMA, ROOM_STATE, ROOM_DELTA, ROOM_VIEW = 0xFF00, 0xFF01, 0xFF02, 0xFF03


def varint(data):
    """The unsigned LEB128 that the bytes begin with, and what follows it."""
    value = 0
    for i, byte in enumerate(data):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, data[i + 1 :]
    raise AssertionError("a varint that does not end")


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0]

    def text(self, length):
        self.at += length
        return self.data[self.at - length : self.at].decode()


class Reader:
    """Bits, the most significant first."""

    def __init__(self, data):
        self.number, self.left = int.from_bytes(data, "big"), len(data) * 8

    def bits(self, count):
        assert count <= self.left, "the bits end too soon"
        self.left -= count
        return self.number >> self.left & ((1 << count) - 1)

    def golomb(self, k):
        zeros = 0
        while self.bits(1) == 0:
            zeros += 1
        return ((1 << zeros | self.bits(zeros)) - 1) << k | self.bits(k)

    def text(self):
        length = self.golomb(4)
        return self.bits(8 * length).to_bytes(length, "big").decode()

    def end(self):
        assert self.left < 8 and self.bits(self.left) == 0, "there is more than the state"


class Writer:
    def __init__(self):
        self.out = []

    def bits(self, value, count):
        self.out += [value >> i & 1 for i in reversed(range(count))]

    def golomb(self, value, k):
        high = (value >> k) + 1
        self.bits(high, 2 * high.bit_length() - 1)
        self.bits(value & ((1 << k) - 1), k)

    def text(self, text):
        data = text.encode()
        self.golomb(len(data), 4)
        for byte in data:
            self.bits(byte, 8)

    def bytes(self):
        bits = self.out + [0] * (-len(self.out) % 8)
        return bytes(int("".join(map(str, bits[i : i + 8])), 2) for i in range(0, len(bits), 8))


class Type:
    """A type of the schema. A record's fields, those of its records among them, are its `leaves`: (path, type)."""

    def __init__(self, source):
        code = source.take("B")
        self.kind, self.bits = PLAIN.get(code, ({11: "string", 12: "quantized", 13: "record", 14: "map", 15: "list"}.get(code), 0))
        assert self.kind, f"there is no type {code}"
        if self.kind == "quantized":
            self.min, self.max, self.bits = source.take("d"), source.take("d"), source.take("B")
        elif self.kind == "record":
            self.members = [(source.text(source.take("B")), Type(source)) for _ in range(source.take("B"))]
            assert [name.encode() for name, _ in self.members] == sorted(name.encode() for name, _ in self.members)
        elif self.kind in ("string", "map", "list"):
            self.most = source.take("I")
            self.of = Type(source) if self.kind != "string" else None
        self.leaves = list(self.flat())

    def flat(self, path=()):
        if self.kind != "record":
            yield path, self
            return
        for name, inner in self.members:
            yield from inner.flat((*path, name)) if inner.kind == "record" else [((*path, name), inner)]

    # --- plain values ---

    def initial(self):
        if self.kind == "string":
            return ""
        if self.kind in ("map", "list"):
            return {}
        return self.steps(min(max(0, self.min), self.max)) if self.kind == "quantized" else 0

    def steps(self, value):
        return math.floor((value - self.min) * (((1 << self.bits) - 1) / (self.max - self.min)) + 0.5)

    def value(self, u):
        """What the number of the type's bits stands for."""
        if self.kind == "bool":
            return bool(u)
        if self.kind == "int":
            return u - (1 << self.bits) if u >> (self.bits - 1) else u
        if self.kind == "float":
            to_bits, to_float = FLOATS[self.bits]
            found = struct.unpack(to_float, struct.pack(to_bits, u))[0]
            assert math.isfinite(found)
            return found
        return self.min + u * (self.max - self.min) / ((1 << self.bits) - 1) if self.kind == "quantized" else u

    def read(self, r, before):
        if self.kind == "string":
            text = r.text()
            assert len(text.encode()) <= self.most
            return text
        if self.kind == "bool":
            return 1 - before
        if self.bits <= 8:
            return r.bits(self.bits)
        c = r.bits(2)
        d = r.bits((self.bits * (c + 1) + 3) // 4)
        if self.kind == "float":
            return before ^ d
        return (before + (-(d + 1) // 2 if d & 1 else d // 2)) % (1 << self.bits)

    def write(self, w, before, after):
        if self.kind == "string":
            w.text(after)
        elif self.kind == "bool":
            pass
        elif self.bits <= 8:
            w.bits(after, self.bits)
        else:
            d = before ^ after
            if self.kind != "float":
                change = (after - before) % (1 << self.bits)
                d = 2 * change if change < 1 << (self.bits - 1) else 2 * ((1 << self.bits) - change) - 1
            c = next(c for c in range(4) if d < 1 << (self.bits * (c + 1) + 3) // 4)
            w.bits(c, 2)
            w.bits(d, (self.bits * (c + 1) + 3) // 4)

    # --- records: a list of the leaves' values; of a map or list, a dict by number of (key, record) ---

    def fresh(self):
        return [leaf.initial() for _, leaf in self.leaves]

    def read_record(self, r, record, mask_before=None):
        count = len(self.leaves)
        same = mask_before is not None and r.bits(1)
        mask = mask_before if same else r.bits(count)
        for i, (_, leaf) in enumerate(self.leaves):
            if mask >> (count - 1 - i) & 1:
                if leaf.kind in ("map", "list"):
                    leaf.read_items(r, record[i])
                else:
                    record[i] = leaf.read(r, record[i])
        return mask

    def numbers(self, r):
        count, at = r.golomb(0), 0
        k = r.bits(3) if count else 0
        for _ in range(count):
            at += r.golomb(k)
            yield at
            at += 1

    def read_items(self, r, items):
        if self.kind == "map":
            for number in self.numbers(r):
                del items[number]
        elif r.bits(1):
            old = [items[number] for number in sorted(items)]
            items.clear()
            items.update(enumerate(self.spliced(r, old) if r.bits(1) else self.resized(r.golomb(4), old)))
        mask = None
        for number in self.numbers(r):
            if number not in items:
                assert self.kind == "map" and number < 2 * self.most
                key = r.text()
                assert key not in [other for other, _ in items.values()]
                items[number] = (key, self.of.fresh())
            mask = self.of.read_record(r, items[number][1], mask)
        assert len(items) <= self.most

    def resized(self, length, old):
        return old[:length] + [(None, self.of.fresh()) for _ in range(length - len(old))]

    def spliced(self, r, old):
        new, at = [], 0
        for i in range(r.golomb(0) + 1):
            kept, removed, inserted = r.golomb(4), r.golomb(0), r.golomb(0)
            assert (kept > 0 or i == 0) and at + kept + removed <= len(old)
            new += old[at : at + kept] + self.resized(inserted, [])
            at += kept + removed
        return new + old[at:]

    def write_record(self, w, record, mask_before=None):
        count, initial = len(self.leaves), self.fresh()
        mask = sum(1 << (count - 1 - i) for i in range(count) if record[i] != initial[i])
        if mask_before is not None:
            w.bits(int(mask == mask_before), 1)
        if mask != mask_before:
            w.bits(mask, count)
        for i, (_, leaf) in enumerate(self.leaves):
            if record[i] == initial[i]:
                continue
            if leaf.kind in ("map", "list"):
                leaf.write_items(w, record[i])
            else:
                leaf.write(w, initial[i], record[i])
        return mask

    def write_items(self, w, items):
        if self.kind == "map":
            w.golomb(0, 0)
        else:
            w.bits(2, 2)
            w.golomb(len(items), 4)
        w.golomb(len(items), 0)
        k = min(7, ((max(items) + 1) // len(items)).bit_length() - 1)
        w.bits(k, 3)
        next_number, mask = 0, None
        for number in sorted(items):
            key, record = items[number]
            w.golomb(number - next_number, k)
            if key is not None:
                w.text(key)
            mask = self.of.write_record(w, record, mask)
            next_number = number + 1

    def plain(self, record):
        """The record as JSON has it; what is no record as its one value."""
        out = {}
        for (path, leaf), value in zip(self.leaves, record):
            if leaf.kind == "map":
                value = {key: leaf.of.plain(inner) for key, inner in value.values()}
            elif leaf.kind == "list":
                value = [leaf.of.plain(value[number][1]) for number in sorted(value)]
            elif leaf.kind != "string":
                value = leaf.value(value)
            if not path:
                return value
            at = out
            for name in path[:-1]:
                at = at.setdefault(name, {})
            at[path[-1]] = value
        return out


class State:
    """A state of the schema's bytes. `desync` where a hash was another than this state's."""

    def __init__(self, schema):
        source = Bytes(schema)
        assert source.take("B") == 1, "another format of schemas"
        self.type = Type(source)
        assert source.at == len(schema) and self.type.kind == "record"
        self.record, self.version, self.desync = self.type.fresh(), None, False

    def load(self, snapshot):
        self.version = struct.unpack_from(">I", snapshot)[0]
        self.record = self.type.fresh()
        self.read(snapshot[4:])

    def apply(self, delta, versions=1):
        self.version += versions
        assert delta[0] == self.version % 256, "a gap"
        hashed = self.version % 64 == 0
        self.read(delta[5 if hashed else 1 :])
        if hashed:
            self.desync = struct.unpack_from(">I", delta, 1)[0] != self.hash()

    def read(self, body):
        reader = Reader(body)
        self.type.read_record(reader, self.record)
        reader.end()

    def hash(self):
        writer, value = Writer(), 2166136261
        self.type.write_record(writer, self.record)
        for byte in writer.bytes():
            value = (value ^ byte) * 16777619 % (1 << 32)
        return value

    def plain(self):
        return self.type.plain(self.record)
