"""Reloads a server again and again under its clients: reload.py PORT PID FILE CONNECTIONS RELOADS

A hundred of the clients send a numbered message around each reload; all have to be answered, once. Meanwhile another
client, in a process of its own, asks without pause. Prints, as JSON, the longest that this one waited around a reload (the median
and the 99th of a hundred reloads), and what went wrong.
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


def main():
    port, pid, count, reloads = (int(sys.argv[at]) for at in (1, 2, 4, 5))
    pipe, other = multiprocessing.Pipe()
    multiprocessing.Process(target=innocent, args=(port, other), daemon=True).start()
    crowd = Crowd(port, count)
    clients = list(crowd.clients.values())
    time.sleep(0.5)
    waited, load = [], 1
    for turn in range(reloads):
        burst = [clients[(turn * BURST + i) % count] for i in range(BURST)]
        with open(sys.argv[3], "a") as file:
            file.write("-- changed\n")
        pipe.send("begin")
        pipe.recv()
        for i, client in enumerate(burst):
            client.ask()
            if i == BURST // 2:
                os.kill(pid, signal.SIGHUP)
        load += 1

        def reloaded():
            if burst[0].load < load and burst[0].asked == len(burst[0].answered):
                burst[0].ask()  # it was answered by the code before
            return burst[0].load >= load

        crowd.read_until(reloaded)
        crowd.read_until(lambda: all(client.asked == len(client.answered) for client in burst))
        pipe.send("longest")
        waited.append(pipe.recv() * 1000)
    time.sleep(0.2)
    crowd.read_until(lambda: True)
    waited.sort()
    lost = sum(client.asked - len(set(client.answered)) for client in clients)
    double = sum(len(client.answered) - len(set(client.answered)) for client in clients)
    print(json.dumps({"wait_p50_ms": waited[len(waited) // 2], "wait_p99_ms": waited[int(len(waited) * 0.99)],
                      "closed": crowd.closed, "lost": lost, "double": double}))


if __name__ == "__main__":
    main()
