"""Reloads a server again and again under its clients: reload.py PORT PID FILE CONNECTIONS RELOADS

FILE is one that the application loads: it grows by a line before each reload. A hundred of the clients send a numbered message
around each; all have to be answered, once. Meanwhile another client, in a process of its own, asks without pause. Prints, as JSON,
the longest that this one waited around a reload (the median and the 99th of a hundred reloads), and what went wrong. Between two
reloads the same is done without one: what is waited then is the machine's and this program's doing.
"""
import json
import multiprocessing
import os
import re
import select
import signal
import socket
import sys
import time

from storm import REQUEST, text_frame

PATIENCE = 30
BURST = 100


def question(number, mtype):
    return text_frame('{"type":"type%d","payload":{"n":%d},"__ackId":%d}' % (mtype, number, number))


def answers(data):
    """(number, load) of each answer in the text, and what is left of it."""
    found, end = [], 0
    for match in re.finditer(rb'"__pp_ack".*?"n":\d+.*?\}|"__pp_ack".*?"load":\d+.*?\}', data, re.S):
        number, load = (int(re.search(rb'"%s":(\d+)' % name, match.group()).group(1)) for name in (b"n", b"load"))
        found.append((number, load))
        end = match.end()
    return found, data[end:]


def innocent(port, pipe):
    """Asks and waits for the answer, over and over, until told to say how long it waited at most."""
    os.nice(-5) if os.geteuid() == 0 else None
    line = socket.create_connection(("127.0.0.1", port))
    line.sendall(REQUEST.format(path="/").encode())
    time.sleep(0.2)
    line.recv(65536)
    longest = number = 0
    while True:
        number += 1
        begun, data = time.monotonic(), b""
        line.sendall(question(number, 1 + number % 1000))
        while not answers(data)[0]:
            data += line.recv(65536)
        longest = max(longest, time.monotonic() - begun)
        if pipe.poll():
            pipe.recv()
            pipe.send(longest)
            longest = 0


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.sendall(REQUEST.format(path="/").encode())
        self.data, self.asked, self.answered, self.load = b"", 0, [], 0

    def ask(self):
        self.asked += 1
        self.sock.sendall(question(self.asked, 1 + (self.asked * 37) % 1000))

    def read(self):
        piece = self.sock.recv(65536)
        if not piece:
            return False
        found, self.data = answers(self.data + piece)
        for number, load in found:
            self.answered.append(number)
            self.load = load
        return True


class Crowd:
    def __init__(self, port, count):
        self.clients, self.closed, self.poll = {}, 0, select.epoll()
        for _ in range(count):
            client = Client(port)
            self.clients[client.sock.fileno()] = client
            self.poll.register(client.sock, select.EPOLLIN)

    def read_until(self, done):
        until = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > until:
                raise SystemExit(f"not answered within {PATIENCE} seconds")
            for descriptor, _ in self.poll.poll(0.005):
                if not self.clients[descriptor].read():
                    self.poll.unregister(descriptor)
                    self.closed += 1


class Bench:
    def __init__(self, port, pid, path, count):
        self.pid, self.path, self.load, self.turn = pid, path, 1, 0
        self.pipe, other = multiprocessing.Pipe()
        multiprocessing.Process(target=innocent, args=(port, other), daemon=True).start()
        self.crowd = Crowd(port, count)
        self.clients = list(self.crowd.clients.values())
        time.sleep(0.5)

    def reload(self):
        with open(self.path, "a") as file:
            file.write("-- changed\n")
        self.load += 1
        os.kill(self.pid, signal.SIGHUP)

    def around(self, what):
        """Has a burst of clients ask, and calls what() in its middle. The longest that the innocent waited, in ms."""
        burst = [self.clients[(self.turn * BURST + i) % len(self.clients)] for i in range(BURST)]
        self.turn += 1
        self.pipe.send("begin")
        self.pipe.recv()
        for i, client in enumerate(burst):
            client.ask()
            if i == BURST // 2:
                what()

        def loaded():
            if burst[0].load < self.load and burst[0].asked == len(burst[0].answered):
                burst[0].ask()  # it was answered by the code before
            return burst[0].load >= self.load

        self.crowd.read_until(loaded)
        self.crowd.read_until(lambda: all(client.asked == len(client.answered) for client in burst))
        self.pipe.send("longest")
        return self.pipe.recv() * 1000


def main():
    bench = Bench(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    waited, quiet = [], []
    for _ in range(int(sys.argv[5])):
        waited.append(bench.around(bench.reload))
        quiet.append(bench.around(lambda: None))
    time.sleep(0.2)
    bench.crowd.read_until(lambda: True)
    waited.sort()
    quiet.sort()
    at = int(len(waited) * 0.99)
    lost = sum(client.asked - len(set(client.answered)) for client in bench.clients)
    double = sum(len(client.answered) - len(set(client.answered)) for client in bench.clients)
    print(json.dumps({"wait_p50_ms": waited[len(waited) // 2], "wait_p99_ms": waited[at], "quiet_p99_ms": quiet[at],
                      "closed": bench.crowd.closed, "lost": lost, "double": double}))


if __name__ == "__main__":
    main()
