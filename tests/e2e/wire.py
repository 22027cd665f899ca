"""Painda frames by hand, from the protocol's description alone: built right, built wrong, read strictly."""
import json
import struct
import zlib
from dataclasses import dataclass

MAGIC = 0x50504E44
VERSION = 2
HEADER = struct.Struct(">IHHIHH")  # magic, version, flags, length, type id, schema version
MODES = {"chat": 0, "media": 1, "gaming": 2, "voice": 3}
COMPRESSED = 0x04
SCHEMA = 0x08


def header(length, *, magic=MAGIC, version=VERSION, flags=0, type_id=0, schema_version=0):
    """The 16 bytes before a payload of `length`, with any field wrong that a test wants wrong."""
    return HEADER.pack(magic, version, flags, length, type_id, schema_version)


def envelope(type, payload=None, ns=None, ack_id=None):
    """The JSON envelope as bytes: what a text message holds, and what follows the header of a binary one."""
    body = {"type": type, "payload": payload}
    if ns is not None:
        body["__ns"] = ns
    if ack_id is not None:
        body["__ackId"] = ack_id
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def frame(type, payload=None, *, ns=None, ack_id=None, mode="chat", compress=False):
    """One whole JSON frame."""
    return raw_frame(envelope(type, payload, ns, ack_id), flags=MODES[mode], compress=compress)


def raw_frame(body, *, flags=0, compress=False, type_id=0, schema_version=0):
    """A header and `body`, which may be anything."""
    if compress:
        body = zlib.compress(body)
        flags |= COMPRESSED
    return header(len(body), flags=flags, type_id=type_id, schema_version=schema_version) + body


@dataclass
class Frame:
    """A frame received: the header's fields, `body` inflated, `envelope` where it is JSON."""

    flags: int
    type_id: int
    schema_version: int
    body: bytes

    @property
    def mode(self):
        return self.flags & 0x03

    @property
    def envelope(self):
        assert self.type_id == 0, f"a schema frame (type id {self.type_id}) has no envelope"
        return json.loads(self.body)

    @property
    def type(self):
        return self.envelope["type"]

    @property
    def payload(self):
        return self.envelope["payload"]


def parse_frames(data):
    """The frames of one WebSocket message, which must hold nothing else."""
    frames = []
    while data:
        assert len(data) >= HEADER.size, f"{len(data)} bytes are too few for a header: {data!r}"
        magic, version, flags, length, type_id, schema_version = HEADER.unpack_from(data)
        assert (magic, version) == (MAGIC, VERSION), f"magic {magic:#x}, version {version}"
        body, data = data[HEADER.size : HEADER.size + length], data[HEADER.size + length :]
        assert len(body) == length, f"the header says {length} bytes and {len(body)} follow"
        frames.append(Frame(flags, type_id, schema_version, zlib.decompress(body) if flags & COMPRESSED else body))
    return frames


def parse_frame(data):
    """The only frame of one WebSocket message."""
    (only,) = parse_frames(data)
    return only
