"""Cuts many clients at once and has them come back: storm.py PORT painda|socketio CONNECTIONS

All are sent one message; then every line is reset, one more message is sent to all, and everybody connects again and asks for
its session. Meanwhile another client, in a process of its own, asks for an answer every two milliseconds. Prints, as JSON, how
many came back to their session, how long it took until all had what they missed, and the longest that the other one waited.
"""
import json
import multiprocessing
import os
import re
import select
import socket
import struct
import sys
import time

PATIENCE = 60
MASK = b"\0\0\0\0"
REQUEST = ("GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


def text_frame(text):
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack(">BH", 0x80 | 126, len(data))
    return b"\x81" + size + MASK + data


class Painda:
    """What the storm says to Painda, and looks for."""

    path = "/"
    hello = b""
    ping, pong = text_frame('{"type":"ping","payload":1,"__ackId":1}'), b"__pp_ack"
    to_all = text_frame('{"type":"all","payload":1}')
    session = re.compile(rb'"sid":"([^"]+)".*?"rtoken":"([^"]+)"', re.S)
    message = re.compile(rb'"type":"echo"')
    recovered = b'"recovered":true'

    def again(self, client):
        sid, token = (part.decode() for part in client.keys)
        return f"/?pp_sid={sid}&pp_offset=1&pp_rtoken={token}", b""


class SocketIo:
    path = "/socket.io/?EIO=4&transport=websocket"
    hello = text_frame("40")
    ping, pong = text_frame('420["ping",1]'), b"430["
    to_all = text_frame('42["all",1]')
    session = re.compile(rb'40\{"sid":"([^"]+)","pid":"([^"]+)"')
    message = re.compile(rb'42\["echo",1,"([^"]+)"\]')
    recovered = None  # it says so with the session: the id is the old one

    def again(self, client):
        offset = client.found.group(1).decode()
        return self.path, text_frame('40' + json.dumps({"pid": client.keys[1].decode(), "offset": offset}))


class Client:
    def __init__(self, poll, port):
        self.poll, self.port, self.keys, self.found = poll, port, None, None

    def connect(self, path, hello):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.connect_ex(("127.0.0.1", self.port))
        self.out, self.hello, self.data, self.done = REQUEST.format(path=path).encode(), hello, b"", False
        self.poll.register(self.sock, select.EPOLLIN | select.EPOLLOUT)

    def cut(self):
        self.poll.unregister(self.sock)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def ready(self, events):
        if events & select.EPOLLOUT and self.out:
            self.out = self.out[self.sock.send(self.out):]
            self.poll.modify(self.sock, select.EPOLLIN)
        if events & select.EPOLLIN:
            piece = self.sock.recv(65536)
            if not piece:
                raise SystemExit(f"the server closed a line: {self.data[-200:]!r}")
            self.data += piece
            if self.hello and b'0{"sid"' in self.data:  # engine.io is ready to hear it
                self.sock.sendall(self.hello)
                self.hello = b""


def run(poll, clients, finished):
    """Until finished(client) is true of each."""
    by_descriptor = {client.sock.fileno(): client for client in clients}
    left, until = len(clients), time.monotonic() + PATIENCE
    while left:
        if time.monotonic() > until:
            last = next(client for client in clients if not client.done)
            raise SystemExit(f"{left} clients were not served within {PATIENCE} seconds: {last.data[-300:]!r}")
        for descriptor, events in poll.poll(1, 512):
            client = by_descriptor[descriptor]
            client.ready(events)
            if not client.done and finished(client):
                client.done = True
                left -= 1


def innocent(protocol, port, pipe):
    """Asks and waits for the answer, over and over, until told to say how long it waited at most."""
    os.nice(-5) if os.geteuid() == 0 else None
    line = socket.create_connection(("127.0.0.1", port))
    line.sendall(REQUEST.format(path=protocol.path).encode())
    time.sleep(0.2)
    line.sendall(protocol.hello)
    time.sleep(0.2)
    line.recv(65536)
    longest = 0
    while True:
        begun, data = time.monotonic(), b""
        line.sendall(protocol.ping)
        while protocol.pong not in data:
            data += line.recv(65536)
        longest = max(longest, time.monotonic() - begun)
        if pipe.poll():
            word = pipe.recv()
            if word == "longest":
                pipe.send(longest)
            elif word == "to all":
                line.sendall(protocol.to_all)
                pipe.send(True)
            longest = 0
        time.sleep(0.002)


def tell(pipe, word):
    pipe.send(word)
    return pipe.recv()


def main():
    port, protocol, count = int(sys.argv[1]), {"painda": Painda, "socketio": SocketIo}[sys.argv[2]](), int(sys.argv[3])
    pipe, other = multiprocessing.Pipe()  # first: a line that another process holds too would not end with a reset
    multiprocessing.Process(target=innocent, args=(protocol, port, other), daemon=True).start()
    poll = select.epoll()
    clients = [Client(poll, port) for _ in range(count)]

    def has_session(client):
        found = protocol.session.search(client.data)
        client.keys = found and found.groups()
        return found

    def has_message(client):
        client.found = protocol.message.search(client.data)
        return client.found

    for at in range(0, count, 250):
        some = clients[at:at + 250]
        for client in some:
            client.connect(protocol.path, protocol.hello)
        run(poll, some, has_session)
    tell(pipe, "to all")
    for client in clients:
        client.done = False
    run(poll, clients, has_message)
    calm = tell(pipe, "longest")

    before = {id(client): client.keys for client in clients}
    words = [protocol.again(client) for client in clients]
    for client in clients:
        client.cut()
    time.sleep(1)  # the server has noticed
    tell(pipe, "to all")
    tell(pipe, "longest")
    begun = time.monotonic()
    for client, (path, hello) in zip(clients, words):
        client.connect(path, hello)
    run(poll, clients, has_message)
    seconds = time.monotonic() - begun
    stall = tell(pipe, "longest")
    if protocol.recovered:
        recovered = sum(protocol.recovered in client.data for client in clients)
    else:
        recovered = sum(bool(has_session(client)) and client.keys == before[id(client)] for client in clients)
    print(json.dumps({"recovered": recovered, "seconds": seconds, "stall_ms": stall * 1000, "calm_ms": calm * 1000}))


if __name__ == "__main__":
    main()
