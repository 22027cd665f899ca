"""A WebSocket and HTTP client without manners, for what well-behaved ones refuse to send."""
import base64
import hashlib
import json
import os
import re
import socket
import ssl
import struct
from urllib.parse import urlencode

from wire import parse_frame

PATIENCE = 20.0  # seconds until a test gives up on something that should have happened at once

CONTINUATION, TEXT, BINARY_MESSAGE, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def ws_frame(opcode, payload=b"", *, fin=True, mask=b"\x37\xfa\x21\x3d", rsv=0, length=None):
    """The bytes of one WebSocket frame from a client. mask=None leaves it unmasked; length= may lie, and picks the
    64-bit form where it does not fit another."""
    said = len(payload) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    masked = 0x80 if mask else 0
    if said < 126:
        head = struct.pack(">BB", first, masked | said)
    elif said < 65536:
        head = struct.pack(">BBH", first, masked | 126, said)
    else:
        head = struct.pack(">BBQ", first, masked | 127, said)
    return head + (mask + mask_bytes(payload, mask) if mask else payload)


def mask_bytes(payload, mask):
    pad = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(payload), "big")


def handshake_request(path="/", host="127.0.0.1", key="dGhlIHNhbXBsZSBub25jZQ==", drop=(), **headers):
    """The bytes of an upgrade request. Keywords replace or add headers (Sec_WebSocket_Version="8"), drop= names those to
    leave out."""
    fields = {
        "Host": host, "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13",
    }  # fmt: skip
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [f"{name}: {value}" for name, value in fields.items() if name not in drop]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


class Closed(Exception):
    """The peer closed: `code` and `reason` of its close frame, or code None where the line just ended."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason!r}")
        self.code = code
        self.reason = reason


class RawSocket:
    """A TCP (or Unix, or TLS) connection with a buffer: send anything, read exactly, see the end."""

    def __init__(self, server=None, *, address=None, unix=None, tls=None, timeout=PATIENCE):
        if unix:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(str(unix))
        else:
            self.sock = socket.create_connection(address or (server.host, server.port), timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = tls if isinstance(tls, ssl.SSLContext) else ssl._create_unverified_context()
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Ends the line with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send_bytes(self, data):
        self.sock.sendall(data)

    def _fill(self):
        try:
            piece = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            piece = b""
        if not piece:
            raise Closed(None)
        self.buffer += piece

    def read_exactly(self, count):
        while len(self.buffer) < count:
            self._fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_until(self, end):
        while end not in self.buffer:
            self._fill()
        data, _, self.buffer = self.buffer.partition(end)
        return data + end

    def read_to_end(self):
        """Everything until the peer ends the line."""
        try:
            while True:
                self._fill()
        except Closed:
            data, self.buffer = self.buffer, b""
            return data


class WebSocket(RawSocket):
    """A connection after a handshake made by hand. query= goes into the path, other keywords into the headers."""

    def __init__(
        self, server=None, path="/", *, query=None, address=None, unix=None, tls=None, timeout=PATIENCE, **headers
    ):
        super().__init__(server, address=address, unix=unix, tls=tls, timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        target = path + (f"?{urlencode(query)}" if query else "")
        self.send_bytes(handshake_request(target, key=key, **headers))
        self.response = self.read_until(b"\r\n\r\n").decode("latin-1")
        self.status = int(self.response.split(" ", 2)[1])
        if self.status != 101:
            self.close()
            raise AssertionError(f"no upgrade: {self.response}")
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        accept = base64.b64encode(digest).decode()
        assert re.search(rf"(?im)^sec-websocket-accept: {re.escape(accept)}\r$", self.response), self.response

    def send(self, message, **options):
        """Sends str as a text message, bytes as a binary one."""
        if isinstance(message, str):
            self.send_bytes(ws_frame(TEXT, message.encode(), **options))
        else:
            self.send_bytes(ws_frame(BINARY_MESSAGE, message, **options))

    def send_ping(self, payload=b""):
        self.send_bytes(ws_frame(PING, payload))

    def send_close(self, code=1000, reason=""):
        self.send_bytes(ws_frame(CLOSE, struct.pack(">H", code) + reason.encode()))

    def read_ws_frame(self):
        """(opcode, fin, payload) of the next WebSocket frame; a server may not mask nor set reserved bits."""
        first, second = self.read_exactly(2)
        assert not first & 0x70, f"reserved bits in {first:#04x}"
        assert not second & 0x80, "a server masked its frame"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.read_exactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.read_exactly(8))
        return first & 0x0F, bool(first & 0x80), self.read_exactly(length)

    def receive(self):
        """The next message, str or bytes. Pings are answered on the way; a close raises Closed."""
        opcode, parts = None, []
        while True:
            code, fin, payload = self.read_ws_frame()
            if code == PING:
                self.send_bytes(ws_frame(PONG, payload))
            elif code == CLOSE:
                raise Closed(*parse_close(payload))
            elif code in (TEXT, BINARY_MESSAGE, CONTINUATION):
                opcode = opcode if code == CONTINUATION else code
                parts.append(payload)
                if fin:
                    whole = b"".join(parts)
                    return whole.decode() if opcode == TEXT else whole

    def receive_frame(self, type=None):
        """The next Painda frame; with `type`, the next JSON frame of that type, passing over others."""
        while True:
            found = parse_frame(self.receive())
            if type is None or (found.type_id == 0 and found.type == type):
                return found

    def receive_json(self, type=None):
        """The same for text mode: the next envelope."""
        while True:
            message = self.receive()
            assert isinstance(message, str), f"binary in text mode: {message!r}"
            body = json.loads(message)
            if type is None or body["type"] == type:
                return body

    def expect_close(self):
        """Reads past everything to the close frame; returns (code, reason), or (None, "") for a bare end."""
        try:
            while True:
                self.receive()
        except Closed as closed:
            return closed.code, closed.reason


def parse_close(payload):
    if not payload:
        return 1005, ""
    assert len(payload) >= 2, "a close frame of one byte"
    return struct.unpack(">H", payload[:2])[0], payload[2:].decode()


def http_get(server, path="/", *, method="GET", version="1.1", **headers):
    """One HTTP request by hand (the path as given, with its dots): (status, {lower-case header: value}, body)."""
    fields = {"Host": "127.0.0.1", "Connection": "close", **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    with RawSocket(server) as line:
        line.send_bytes("\r\n".join(lines).encode("latin-1"))
        head, _, body = line.read_to_end().partition(b"\r\n\r\n")
    status, *rest = head.decode("latin-1").split("\r\n")
    answered = {name.lower(): value.strip() for name, _, value in (entry.partition(":") for entry in rest)}
    if "chunked" in answered.get("transfer-encoding", ""):
        body = unchunk(body)
    return int(status.split(" ", 2)[1]), answered, body


def unchunk(data):
    whole = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        count = int(size.split(b";")[0], 16)
        if count == 0:
            return whole
        whole, data = whole + data[:count], data[count + 2 :]
