"""Frames that break the rules of Painda: each kind by name, then ten thousand at random.
The seed is printed; PP_SEED replays it."""
import json
import os
import random
import struct
import threading
import zlib

import pytest

from lab import LEAN, Asker, Lab, still_serves
from painda import (
    COMPRESSED, HEADER, SCHEMA, TEXT, BINARY_MESSAGE, Closed, WebSocket, envelope, eventually, frame, header, parse_frames,
    raw_frame, ws_frame,
)  # fmt: skip

pytestmark = pytest.mark.asan

GOOD = envelope("echo", {"x": 1})


def nested(depth):
    return b'{"type":"echo","payload":' + b"[" * depth + b"]" * depth + b"}"


DECODE, SCHEMA_ERROR = "DECODE_ERROR", "SCHEMA_ERROR"
PACKED = zlib.compress(GOOD)

# name → the message, the code of the error, the close code where it ends the connection
KINDS = {
    "empty": (b"", DECODE, None),
    "one byte": (b"P", DECODE, None),
    "only the magic": (b"PPND", DECODE, None),
    "a header cut short": (header(0)[:15], DECODE, None),
    "a header without its payload": (header(10), DECODE, None),
    "a payload cut short": (raw_frame(GOOD)[:-1], DECODE, None),
    "a length one too small": (header(len(GOOD) - 1) + GOOD, DECODE, None),
    "a length of 2^32 - 1": (header(2**32 - 1) + GOOD, DECODE, None),
    "a length of 2^31": (header(2**31) + GOOD, DECODE, None),
    "bytes behind the frame": (raw_frame(GOOD) + b"x", DECODE, None),
    "wrong magic": (header(len(GOOD), magic=0x50504E45) + GOOD, DECODE, 4011),
    "wrong magic, and short": (b"GET / HT", DECODE, 4011),
    "version 1": (header(len(GOOD), version=1) + GOOD, None, 4010),
    "no envelope": (raw_frame(b""), DECODE, None),
    "no zlib": (raw_frame(b"not zlib data", flags=COMPRESSED), DECODE, None),
    "empty zlib": (raw_frame(b"", flags=COMPRESSED), DECODE, None),
    "zlib cut short": (raw_frame(PACKED[:-5], flags=COMPRESSED), DECODE, None),
    "zlib without its checksum": (raw_frame(PACKED[:-4], flags=COMPRESSED), DECODE, None),
    "zlib with a wrong checksum": (raw_frame(PACKED[:-1] + bytes([PACKED[-1] ^ 1]), flags=COMPRESSED), DECODE, None),
    "zlib and more": (raw_frame(PACKED + b"x", flags=COMPRESSED), DECODE, None),
    "gzip": (raw_frame(zlib.compress(GOOD, wbits=31), flags=COMPRESSED), DECODE, None),
    "raw deflate": (raw_frame(zlib.compress(GOOD, wbits=-15), flags=COMPRESSED), DECODE, None),
    "zlib of no JSON": (raw_frame(zlib.compress(b"nothing"), flags=COMPRESSED), DECODE, None),
    "plain JSON that says it is compressed": (raw_frame(GOOD, flags=COMPRESSED), DECODE, None),
    "no JSON": (raw_frame(b"nothing"), DECODE, None),
    "JSON cut short": (raw_frame(GOOD[:-1]), DECODE, None),
    "JSON and more": (raw_frame(GOOD + b"}"), DECODE, None),
    "two envelopes": (raw_frame(GOOD + GOOD), DECODE, None),
    "an array": (raw_frame(b'["echo"]'), DECODE, None),
    "a string": (raw_frame(b'"echo"'), DECODE, None),
    "null": (raw_frame(b"null"), DECODE, None),
    "no type": (raw_frame(b'{"payload":1}'), DECODE, None),
    "an empty type": (raw_frame(b'{"type":""}'), DECODE, None),
    "a number as type": (raw_frame(b'{"type":5}'), DECODE, None),
    "null as type": (raw_frame(b'{"type":null}'), DECODE, None),
    "an object as type": (raw_frame(b'{"type":{"type":"echo"}}'), DECODE, None),
    "nesting of 65": (raw_frame(nested(65)), DECODE, None),
    "nesting of 100,000": (raw_frame(nested(100_000)), DECODE, None),
    "nesting that is never closed": (raw_frame(b'{"type":"echo","payload":' + b"[" * 500_000), DECODE, None),
    "nesting beside the payload": (raw_frame(b'{"type":"echo","more":' + b'{"a":' * 99 + b"1" + b"}" * 100), DECODE, None),
    "NaN": (raw_frame(b'{"type":"echo","payload":NaN}'), DECODE, None),
    "Infinity": (raw_frame(b'{"type":"echo","payload":-Infinity}'), DECODE, None),
    "1e400": (raw_frame(b'{"type":"echo","payload":1e400}'), DECODE, None),
    "a number with a leading zero": (raw_frame(b'{"type":"echo","payload":01}'), DECODE, None),
    "hexadecimal": (raw_frame(b'{"type":"echo","payload":0x10}'), DECODE, None),
    "a lone surrogate": (raw_frame(b'{"type":"echo","payload":"\\ud800"}'), DECODE, None),
    "surrogates the wrong way round": (raw_frame(b'{"type":"echo","payload":"\\udc00\\ud800"}'), DECODE, None),
    "a byte order mark": (raw_frame(b"\xef\xbb\xbf" + GOOD), DECODE, None),
    "overlong UTF-8": (raw_frame(b'{"type":"echo","payload":"\xc0\xaf"}'), DECODE, None),
    "a raw control character": (raw_frame(b'{"type":"echo","payload":"\n"}'), DECODE, None),
    "a zero byte": (raw_frame(b'{"type":"echo","payload":"a\0b"}'), DECODE, None),
    "a bad escape": (raw_frame(b'{"type":"echo","payload":"\\x41"}'), DECODE, None),
    "a trailing comma": (raw_frame(b'{"type":"echo","payload":[1,]}'), DECODE, None),
    "a comment": (raw_frame(b'{"type":"echo"/**/}'), DECODE, None),
    "single quotes": (raw_frame(b"{'type':'echo'}"), DECODE, None),
    "an ack id of 0": (raw_frame(b'{"type":"echo","__ackId":0}'), DECODE, None),
    "a negative ack id": (raw_frame(b'{"type":"echo","__ackId":-1}'), DECODE, None),
    "a fraction as ack id": (raw_frame(b'{"type":"echo","__ackId":1.5}'), DECODE, None),
    "a string as ack id": (raw_frame(b'{"type":"echo","__ackId":"1"}'), DECODE, None),
    "a number as namespace": (raw_frame(b'{"type":"echo","__ns":5}'), DECODE, None),
    "an unknown schema": (raw_frame(b"xx", flags=SCHEMA, type_id=999), SCHEMA_ERROR, None),
    "an id of the protocol": (raw_frame(b"xx", flags=SCHEMA, type_id=0xFF00), SCHEMA_ERROR, None),
    "a struct too short": (raw_frame(bytes(7), flags=SCHEMA, type_id=7), SCHEMA_ERROR, None),
    "a struct too long": (raw_frame(bytes(9), flags=SCHEMA, type_id=7), SCHEMA_ERROR, None),
    "an empty struct": (raw_frame(b"", flags=SCHEMA, type_id=7), SCHEMA_ERROR, None),
    "a schema's text that is no UTF-8": (raw_frame(b"\xff", flags=SCHEMA, type_id=9), SCHEMA_ERROR, None),
    "a schema's JSON that is none": (raw_frame(b"{", flags=SCHEMA, type_id=11), SCHEMA_ERROR, None),
    "a schema's nesting": (raw_frame(b"[" * 1000 + b"]" * 1000, flags=SCHEMA, type_id=11), SCHEMA_ERROR, None),
    "a mixed payload of a huge length": (raw_frame(b"\xff\xff\xff\xff{}", flags=SCHEMA, type_id=12), SCHEMA_ERROR, None),
    "a schema of another version": (raw_frame(bytes(6), flags=SCHEMA, type_id=8, schema_version=9), SCHEMA_ERROR, None),
    "a compressed struct of the wrong size": (
        raw_frame(zlib.compress(bytes(100)), flags=SCHEMA | COMPRESSED, type_id=7), SCHEMA_ERROR, None,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def lab():
    with Lab("maxConnectionsPerIp = 0") as server:
        yield server
        still_serves(server)


@pytest.mark.parametrize("name", KINDS)
def test_a_malformed_frame_is_answered_and_dropped(lab, name):
    message, error, close = KINDS[name]
    with WebSocket(lab) as ws:
        before = Asker(ws)("stats")
        ws.send(message)
        if error:
            answer = ws.receive_frame()
            assert answer.type == "__pp_error"
            assert answer.payload["code"] == error, answer.payload
            assert answer.payload["message"]
        if close:
            assert ws.expect_close()[0] == close
        else:
            assert Asker(ws)("echo", "goes on") == "goes on"
            after = Asker(ws)("stats")
            assert after["malformed"] == before["malformed"] + 1


JSON_KINDS = {name: message[HEADER.size :] for name, (message, *_) in KINDS.items()
              if message[:4] == b"PPND" and len(message) > 16 and message == raw_frame(message[16:])}  # fmt: skip


@pytest.mark.parametrize("name", JSON_KINDS)
def test_the_same_in_a_text_message(lab, name):
    with WebSocket(lab) as ws:
        try:
            ws.send(JSON_KINDS[name].decode())
        except UnicodeDecodeError:
            ws.send_bytes(ws_frame(TEXT, JSON_KINDS[name]))
            assert ws.expect_close()[0] == 1007
            return
        assert ws.receive_json()["payload"]["code"] == DECODE
        assert Asker(ws, text=True)("echo", "goes on") == "goes on"


@pytest.mark.parametrize("depth, fits", [(63, True), (64, True), (65, False)])
def test_payloads_nest_up_to_64_deep(lab, depth, fits):
    with WebSocket(lab) as ws:
        ws.send(raw_frame(nested(depth)))
        assert ws.receive_frame().type == ("echo" if fits else "__pp_error")


def test_duplicate_keys_harm_nothing(lab):
    with WebSocket(lab) as ws:
        ws.send(raw_frame(b'{"type":"echo","type":"echo","payload":1,"payload":{"a":1,"a":2}}'))
        assert ws.receive_frame().payload == {"a": 2}


def test_many_keys_cost_no_more_than_their_bytes(lab):
    with WebSocket(lab) as ws:
        body = {"key%d" % i: i for i in range(50_000)}
        assert Asker(ws)("echo", body) == body


def test_ten_malformed_frames_in_one_batch_end_it(lab):
    with WebSocket(lab, query={"pp_caps": "batch"}) as ws:
        ws.send(raw_frame(b"bad") * 50)
        errors, code = [], None
        try:
            while True:
                errors += parse_frames(ws.receive())
        except Closed as closed:
            code = closed.code
        assert (len(errors), code) == (10, 4011)


# --- ten thousand


SEED = int(os.environ.get("PP_SEED", random.SystemRandom().getrandbits(32)))
COUNT = int(os.environ.get("PP_FRAMES", 10_000))

SAMPLES = [
    frame("echo", {"a": [1, 2.5, "ä\U0001f600", None, True], "b": {}}),
    frame("echo", "x" * 2000, compress=True),
    frame("echo", [list(range(30))] * 3, ack_id=7, mode="gaming"),
    frame("__pp_ack", {"ackId": 1, "args": [1]}),
    frame("__pp_auth", {"token": "t"}),
    frame("raise", None, ack_id=3),
    frame("reply-error", ns="/", ack_id=9),
    raw_frame(struct.pack(">ff", 1, 2), flags=SCHEMA, type_id=7),
    raw_frame(struct.pack(">hhh", 1, 2, 3), flags=SCHEMA, type_id=8, schema_version=2),
    raw_frame(struct.pack(">hh", 1, 2), flags=SCHEMA, type_id=8, schema_version=1),
    raw_frame("grüß".encode(), flags=SCHEMA, type_id=9),
    raw_frame(b'{"json":[1,{"x":"y"}]}', flags=SCHEMA, type_id=11),
    raw_frame(struct.pack(">I", 8) + b'{"n": 1}' + bytes(20), flags=SCHEMA, type_id=12),
    raw_frame(zlib.compress(bytes(1000)), flags=SCHEMA | COMPRESSED, type_id=10),
]
TOKENS = [
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u", b"\\ud800", b"null", b"1e999", b"-", b"\x00", b"\xff",
    b'"type"', b'"__ackId"', b'"__ns"', b"PPND", b"\x00\x02", b"\x78\x9c", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff",
]  # fmt: skip


def mutated(rng):
    """One of the samples with a few of its bytes changed, cut, doubled, or its header made to fit again."""
    data = bytearray(rng.choice(SAMPLES))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(8):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(data):
                data[at] = rng.randrange(256)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + rng.randrange(1, 9)]
            case 4:
                data[at:at] = rng.choice(TOKENS)
            case 5:
                data[at:at] = rng.randbytes(rng.randrange(1, 20))
            case 6:
                piece = data[at : at + rng.randrange(1, 200)]
                data[at:at] = piece * rng.randrange(1, 4)
            case 7 if len(data) >= 16:
                data[8:12] = struct.pack(">I", len(data) - 16)  # so that what follows the header is looked at
    if rng.random() < 0.9:
        data[:6] = b"PPND\0\2"  # another magic or version ends the connection at once
    return bytes(data)


def random_message(rng):
    kind = rng.random()
    if kind < 0.75:
        return mutated(rng)
    if kind < 0.85:
        return rng.randbytes(rng.randrange(0, 300))
    if kind < 0.95:
        body = rng.randbytes(rng.randrange(0, 300))
        flags, type_id = rng.randrange(16), rng.choice((0, 7, 8, 9, 10, 11, 12, rng.randrange(65536)))
        return raw_frame(body, flags=flags, type_id=type_id, schema_version=rng.choice((0, 1, 2, rng.randrange(65536))))
    body = b"".join(rng.choice(TOKENS) for _ in range(rng.randrange(1, 40)))
    return raw_frame(b'{"type":"echo","payload":' + body)


ALLOWED_CODES = {"DECODE_ERROR", "SCHEMA_ERROR", "NAMESPACE_ERROR"}


def check_answers(message):
    """An answer is whole, and an error is one of those that a bad frame may have."""
    for answer in [json.loads(message)] if isinstance(message, str) else parse_frames(message):
        if not isinstance(answer, dict):
            if answer.type_id != 0:
                continue
            answer = answer.envelope
        if answer["type"] == "__pp_error":
            assert answer["payload"]["code"] in ALLOWED_CODES, answer


def attack(server, rng, count):
    """Sends `count` messages over as many connections as it takes; returns the close codes that were met."""
    codes = []
    sent = 0
    while sent < count:
        with WebSocket(server, query={"pp_caps": "batch"} if rng.random() < 0.3 else None) as ws:
            burst = []
            for _ in range(min(rng.choice((5, 9, 9, 9, 30)), count - sent)):  # the tenth bad one ends the connection
                message = random_message(rng)
                if rng.random() < 0.15:
                    burst.append(ws_frame(TEXT, message[16:].decode("utf-8", "replace").encode()))
                else:
                    burst.append(ws_frame(BINARY_MESSAGE, message))
                sent += 1
            try:
                ws.send_bytes(b"".join(burst) + ws_frame(8, struct.pack(">H", 1000)))
            except ConnectionError:
                pass  # it closed before all was said
            try:
                while True:
                    check_answers(ws.receive())
            except Closed as closed:
                codes.append(closed.code)
    return codes


def test_ten_thousand_bad_frames_while_another_client_goes_on():
    print(f"seed: PP_SEED={SEED}")
    rng = random.Random(SEED)
    with Lab("maxConnectionsPerIp = 0", env={"LAB_QUIET": "yes", **LEAN}) as server:
        with WebSocket(server) as chatter:
            ask = Asker(chatter)
            warm_up = random.Random(SEED + 1)
            attack(server, warm_up, COUNT // 5)  # until pools and caches have their size
            before = server.rss()
            answered, stop, failures = [0], threading.Event(), []

            def chat():
                try:
                    while not stop.is_set():
                        assert ask("echo", [answered[0], "still here"]) == [answered[0], "still here"]
                        answered[0] += 1
                except BaseException as error:  # told by the test's own thread
                    failures.append(error)

            thread = threading.Thread(target=chat)
            thread.start()
            try:
                codes = attack(server, rng, COUNT)
            finally:
                stop.set()
                thread.join(30)
            assert not failures, failures
            assert answered[0] > 10
            assert set(codes) <= {1000, 1007, 4010, 4011}, sorted(set(map(str, codes)))
            assert 4011 in codes and 4010 in codes
            stats = ask("stats")
            assert stats["malformed"] > COUNT / 4
            eventually(lambda: ask("stats")["clients"] == 1, "all of the attacker's connections gone")
            try:
                eventually(lambda: server.rss() - before < 4 << 20, "its memory is what it was")
            except AssertionError:
                print(f"{server.rss() - before} bytes more than {before}; {ask('stats')}")
                raise
