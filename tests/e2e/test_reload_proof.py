"""A thousand connections talk without pause while the application is replaced again and again, by good versions and by broken
ones: nobody is disconnected, and each message is answered once, by one whole version."""
import json
import select
import signal
import socket
import struct
import time

import pytest

from lab import LEAN, Asker
from painda import Server, WebSocket, eventually

CONNECTIONS = 1000
RELOADS = 50
IN_FLIGHT = 2

APP = """
local painda = require "painda"
local parts = require "parts"
local VERSION = %(version)d
local server = painda.PPServer { port = 3000, handlerTimeout = 100, maxTags = %(version)d, maxConnectionsPerIp = 2000,
  maxMessagesPerSecond = 1000000 }
local beats = painda.state("beats")

if VERSION %% 3 ~= 0 then
  server:useMessage(function(_, message, next)
    if message.type == "n" then
      if message.payload.n %% 7 == 0 then painda.sleep(3) end
      message.payload.middleware = VERSION
    end
    next()
  end)
end

server:register {
  name = "stamp",
  install = function()
    return {
      onMessage = function(_, message)
        if message.type == "n" then
          if message.payload.n %% 11 == 0 then painda.sleep(2) end
          message.payload.hook = VERSION
        end
      end,
    }
  end,
}

local schema = painda.schema { seen = "uint32", ["of" .. VERSION %% 4] = "uint8" } -- another in each version
local room = server:room("arena", schema, { tickRate = 10 + VERSION %% 3 })
room:on("tick", function(state) state.seen = VERSION end)
if VERSION == 1 then
  server:room("kept", painda.schema { n = "uint32" }):getState().n = 5
end

server:on("connection", function(client)
  client.data.generations = (client.data.generations or 0) + 1
  room:join(client)
  client:on("n", function(payload)
    if payload.n %% 5 == 0 then painda.sleep(payload.n %% 3) end
    payload.handler = VERSION
    client:emit("answer", parts.finish(payload))
  end)
end)

server:on("look", function(_, _, ack)
  local stats = server:getStats()
  stats.beats, stats.members, stats.seen = beats, room.clientCount, room:getState().seen
  stats.version = VERSION
  ack(nil, stats)
end)

painda.every(5, function() beats[tostring(VERSION)] = (beats[tostring(VERSION)] or 0) + 1 end)
"""
PARTS = "return { finish = function(payload) payload.part = %d return payload end }\n"
BROKEN = [
    "syntax = = error\n",
    '\nerror "at the end"\n',
    '\nserver:register { name = "no", install = function() error "it refuses" end }\n',
    "\nwhile true do VERSION = VERSION + 1 end\n",
    '\npainda.sleep(5) painda.PPServer { port = "nonsense" }\n',
    '\nrequire "no_such_part"\n',
    '\nserver:room("kept", painda.schema { other = "uint8" })\n',
]


def text_frame(text):
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack(">BH", 0x80 | 126, len(data))
    return b"\x81" + size + bytes(4) + data


class Talker:
    """A connection that always has messages under way, and notes what became of each."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self.data, self.sent, self.answers, self.open = b"", 0, {}, False

    def say(self):
        self.sent += 1
        self.sock.sendall(text_frame(json.dumps({"type": "n", "payload": {"n": self.sent}})))

    def frames(self):
        while len(self.data) >= 2:
            opcode, size, at = self.data[0] & 15, self.data[1], 2
            if size == 126:
                size, at = struct.unpack_from(">H", self.data, 2)[0] if len(self.data) >= 4 else 1 << 16, 4
            if len(self.data) < at + size:
                return
            body, self.data = self.data[at : at + size], self.data[at + size :]
            yield opcode, body

    def read(self, more):
        """Takes what has come. `more`: goes on talking."""
        piece = self.sock.recv(65536)
        assert piece, "a connection was closed"
        self.data += piece
        if not self.open:
            if b"\r\n\r\n" not in self.data:
                return
            self.data, self.open = self.data.split(b"\r\n\r\n", 1)[1], True
            for _ in range(IN_FLIGHT):
                self.say()
        for opcode, body in self.frames():
            assert opcode in (1, 2, 9), f"opcode {opcode}: {body!r}"
            if opcode != 1 or b'"answer"' not in body:
                continue
            payload = json.loads(body)["payload"]
            assert payload["n"] not in self.answers, f"{payload} is a second answer"
            self.answers[payload["n"]] = payload
            if more:
                self.say()


class Crowd:
    def __init__(self, port, count):
        self.poll = select.epoll()
        self.talkers = {}
        for _ in range(count):
            talker = Talker(port)
            self.talkers[talker.sock.fileno()] = talker
            self.poll.register(talker.sock, select.EPOLLIN)

    def talk(self, until, more=True):
        deadline = time.monotonic() + 60
        while not until():
            assert time.monotonic() < deadline, "it did not happen"
            for descriptor, _ in self.poll.poll(0.01):
                self.talkers[descriptor].read(more)

    def talk_for(self, seconds):
        end = time.monotonic() + seconds
        self.talk(lambda: time.monotonic() > end)

    def all(self):
        return self.talkers.values()


def check(payload, versions):
    """One version, whole: the hook, the middleware where that has one, the handler and its module."""
    version = payload["handler"]
    assert version in versions
    middleware = None if version % 3 == 0 else version
    assert (payload["hook"], payload.get("middleware"), payload["part"]) == (version, middleware, version), payload


@pytest.mark.slow
def test_each_message_is_answered_once_by_one_whole_version(tmp_path):
    path = tmp_path / "app.lua"

    def write(version, tail=""):
        (tmp_path / "parts.lua").write_text(PARTS % version)
        path.write_text(APP % {"version": version} + tail)

    write(1)
    versions = {1}
    with Server(path) as server, WebSocket(server) as ws:
        crowd = Crowd(server.port, CONNECTIONS)
        crowd.talk(lambda: all(talker.answers for talker in crowd.all()))
        for number in range(RELOADS):
            version, broken = number + 2, number % 3 == 1
            write(version, BROKEN[number // 3 % len(BROKEN)] if broken else "")
            mark = server.mark()
            server.send_signal(signal.SIGHUP)
            crowd.talk(lambda: any(" reload" in line for line in server.log.splitlines()[mark:]))
            assert ("reload failed" in "\n".join(server.log.splitlines()[mark:])) == broken
            if not broken:
                versions.add(version)
            crowd.talk_for(0.05)
        crowd.talk(lambda: all(len(talker.answers) == talker.sent for talker in crowd.all()), more=False)

        answers = [payload for talker in crowd.all() for payload in talker.answers.values()]
        for payload in answers:
            check(payload, versions)
        assert {payload["handler"] for payload in answers} == versions
        ask = Asker(ws)
        stats = ask("look")
        last = max(versions)
        assert (stats["version"], stats["seen"], stats["members"]) == (last, last, CONNECTIONS + 1)
        assert (stats["clients"], stats["connections"]) == (CONNECTIONS + 1, CONNECTIONS + 1)
        assert (stats["generation"], stats["reloads"]) == (len(versions), len(versions) - 1)
        before = stats["beats"]
        eventually(lambda: ask("look")["beats"][str(last)] > before[str(last)] + 5, "the last timer")
        after = ask("look")["beats"]
        assert {name for name in after if after[name] != before.get(name)} == {str(last)}


LEAK = """
local painda = require "painda"
local server = painda.PPServer { port = 3000 }
local held = {}
for i = 1, 1000 do
  held[i] = { i, tostring(i) .. "%(version)d" }
  server:on("type" .. i, function(_, payload) return held[i], payload end)
end
server:use(function(_, next) next() end)
server:useMessage(function(_, _, next) next() end)
server:register { name = "p", install = function(ctx) return { onMessage = function() return held and true end } end }
local game = server:of "/game"
game:on("x", function() return held end)
local room = server:room("arena", { n = 1 }, { auth = function() return held end })
room:on("tick", function() return not held end)
painda.every(1000, function() return held end)
painda.on_unload(function() held = nil end)
painda.spawn(function() painda.sleep(5) return held end)
server.presence:on("join", function() return held end)
server:on("connection", function(client)
  client:on("x", function() return held end)
  client:request("question", nil, 20)
  return held
end)
server:on("look", function(_, _, ack)
  collectgarbage()
  collectgarbage()
  local stats = server:getStats()
  ack(nil, stats)
end)
"""


@pytest.mark.slow
def test_a_thousand_reloads_leave_nothing_behind(tmp_path):
    path = tmp_path / "app.lua"
    path.write_text(LEAK % {"version": 0})
    with Server(path, env=LEAN) as server, WebSocket(server) as ws:
        ask = Asker(ws)

        def reload(count):
            for n in range(count):
                path.write_text(LEAK % {"version": n})
                mark = server.mark()
                server.send_signal(signal.SIGHUP)
                server.wait_for(r"\breloaded\b", after=mark)
            eventually(lambda: ask("look")["generationsAlive"] == 1, "all others are freed")
            return ask("look"), server.rss()

        before, rss = reload(200)
        after, rss_after = reload(1000)
        assert after["generation"] == 1201
        assert after["luaMemory"] < before["luaMemory"] * 1.02 + 50_000, (before, after)
        assert rss_after - rss < 16 << 20, (rss, rss_after)
