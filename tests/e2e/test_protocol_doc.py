"""The bytes in docs/protocol.md, sent to and expected from the server that the document describes."""
import json
import re
import shlex
import signal

import pytest

from painda import ROOT, TEXT, Closed, Server, WebSocket, parse_frames, ws_frame

pytestmark = pytest.mark.asan

DOCUMENT = (ROOT / "docs" / "protocol.md").read_text()
BLOCK = re.compile(r"^```(\w+) name=(\S+)([^\n]*)\n(.*?)^```$", re.M | re.S)
EXAMPLES = {name: (options, body) for kind, name, options, body in BLOCK.findall(DOCUMENT) if kind == "hex"}
(SERVER,) = [body for kind, _, _, body in BLOCK.findall(DOCUMENT) if kind == "lua"]


def parse_bytes(text):
    """Hexadecimal digits, 'text' between quotes, and a remark behind #."""
    out = b""
    for quoted, digits, _, wrong in re.findall(r"'([^']*)'|([0-9A-F]{2}(?:[0-9A-F]{2})*)|(\s+|#.*)|(.)", text):
        assert not wrong, f"{wrong!r} in {text!r}"
        out += quoted.encode() + bytes.fromhex(digits)
    return out


def parse_steps(body):
    """The lines of an example as (">" or "<" or "!", what follows); indented lines continue the one above."""
    steps = []
    for line in body.splitlines():
        if line.startswith(" "):
            direction, text = steps.pop()
            steps.append((direction, text + "\n" + line))
        elif line:
            steps.append((line[0], line[1:].strip()))
    return steps


def same_message(found, expected):
    """Byte for byte, but that the keys of JSON objects have no order."""
    if isinstance(expected, str):
        return isinstance(found, str) and len(found) == len(expected) and json.loads(found) == json.loads(expected)
    if found == expected:
        return True
    (frame,), (wanted,) = parse_frames(found), parse_frames(expected)
    return found[:16] == expected[:16] and wanted.type_id == 0 and frame.envelope == wanted.envelope


def expect(ws, text):
    kind, _, rest = text.partition(" ")
    if kind == "close":
        code, _, reason = rest.partition(" ")
        with pytest.raises(Closed) as closed:
            ws.receive()
        assert (closed.value.code, closed.value.reason) == (int(code), reason)
    elif kind == "error":
        found = ws.receive()
        envelope = json.loads(found) if isinstance(found, str) else parse_frames(found)[0].envelope
        assert (envelope["type"], envelope["payload"]["code"]) == ("__pp_error", rest)
    else:
        expected = parse_bytes(rest).decode() if kind == "text" else parse_bytes(text)
        found = ws.receive()
        assert same_message(found, expected), f"{found!r}, where the document says {expected!r}"


def send(ws, text):
    kind, _, rest = text.partition(" ")
    if kind == "text":
        ws.send_bytes(ws_frame(TEXT, parse_bytes(rest)))  # which need not be text
    else:
        ws.send(parse_bytes(text))


@pytest.fixture(scope="module")
def server():
    with Server(SERVER) as running:
        yield running


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_is_what_the_server_does(name, request):
    options, body = EXAMPLES[name]
    query = dict(option.removeprefix("query=").split("=", 1) for option in shlex.split(options))
    steps = parse_steps(body)
    stops = any(direction == "!" for direction, _ in steps)
    server = Server(SERVER) if stops else request.getfixturevalue("server")
    if stops:
        server.start()
    try:
        with WebSocket(server, query=query) as ws:
            for direction, text in steps:
                if direction == ">":
                    send(ws, text)
                elif direction == "<":
                    expect(ws, text)
                else:
                    server.send_signal(signal.Signals[text])
        if stops:
            assert server.wait() == 0
    finally:
        if stops:
            server.kill()


def test_every_block_of_bytes_is_an_example():
    assert len(EXAMPLES) == DOCUMENT.count("\n```hex") > 10


def derived_id(name):
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    value = (value >> 16) ^ (value & 0xFFFF)
    return (value & 0xFF if value >= 0xFF00 else value) or 1


def test_the_ids_derived_from_names():
    for document in (DOCUMENT, (ROOT / "docs" / "api" / "schema.md").read_text()):
        told = re.findall(r'`"([^"`]+)"` → `(0x[0-9A-F]{4})`', document)
        assert len(told) >= 3
        for name, number in told:
            assert derived_id(name) == int(number, 16), name
