"""A site of painda.HttpServer, and asking it by hand."""
import http.client
import json
import os

import pytest

from painda import Server

BIG = os.urandom(10_000_000)
HUGE = 100_000_000  # more than the system keeps for a reader that does not read

APP = """
local painda = require "painda"
local http = painda.HttpServer { port = 8080, maxBody = 100000 }

http:get("/hello", function(req, res)
  res:send("world")
end)
http:get("/about", function(req)
  return {
    method = req.method, path = req.path, query = req.query, params = req.params, address = req.address,
    secure = req.secure, host = req.headers.host, odd = req.headers["X-Odd-One"], none = req.headers["x-none"] or painda.null,
  }
end)
http:get("/rooms/:room/seats/:seat", function(req)
  return req.params
end)
http:get("/tail/*", function(req)
  return req.params["*"]
end)
http:post("/echo", function(req, res)
  res:header("content-type", req.headers["content-type"] or "application/octet-stream"):send(req.body)
end)
http:put("/json", function(req, res)
  local value, err = req:json()
  if value == nil then
    return res:status(400):send(err)
  end
  res:status(201):json { got = value }
end)
http:get("/sleep", function(req, res)
  painda.sleep(tonumber(req.query.ms) or 100)
  local ok, err = res:send("slept")
  painda.log.info("sleeper sent", { ok = ok, err = err })
end)
http:get("/raise", function()
  error("on purpose")
end)
http:get("/raise-later", function()
  painda.sleep(1)
  error(painda.Error("later on purpose", "HANDLER_ERROR"))
end)
http:get("/silent", function() end)
http:get("/twice", function(req, res)
  res:send("first")
  res:send("second")
end)
http:post("/inject", function(req, res)
  local given = req:json()
  res:header(given.name or "x-value", given.value or "")
  if given.to then
    return res:redirect(given.to)
  end
  res:send("sent")
end)
http:get("/reserved", function(req, res)
  res:header("Content-Length", "5")
end)
http:get("/redirect", function(req, res)
  res:redirect(req.query.to)
end)
http:get("/nothing", function(req, res)
  res:status(204):send()
end)
http:get("/nan", function(req, res)
  res:json { x = 0 / 0 }
end)
http:get("/cookies", function(req, res)
  res:header("set-cookie", "a=1"):header("set-cookie", "b=2"):header("x-one", 1):header("X-One", 2):html("<p>")
end)
http:get("/quit", function(req, res)
  http:close()
  local _, err = res:send("too late")
  painda.log.info("closed itself", { err = err })
end)
http:static("/", "public")
http:static("/assets", "public/sub", { maxAge = 3600, index = false })

local server = painda.PPServer.attachTo(http, {})
server:on("connection", function(client)
  client:on("ping", function(payload)
    client:emit("pong", payload)
  end)
end)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the application and what it serves."""
    root = tmp_path_factory.mktemp("site")
    public = root / "public"
    (public / "sub").mkdir(parents=True)
    (public / "empty").mkdir()
    (public / ".git").mkdir()
    (root / "app.lua").write_text(APP)
    (root / "secret.txt").write_text("secret")
    (public / "index.html").write_text("<h1>index</h1>")
    (public / "sub" / "index.html").write_text("<h1>sub</h1>")
    (public / "sub" / "style.css").write_text("p {}")
    (public / "digits.txt").write_text("0123456789")
    (public / "none.txt").write_text("")
    (public / "sp ace.txt").write_text("space")
    (public / "h\u00e9.txt").write_text("accent")
    (public / ".hidden").write_text("secret")
    (public / ".git" / "config").write_text("secret")
    (public / "big.bin").write_bytes(BIG)
    (public / "inside.txt").symlink_to("digits.txt")
    (public / "outside.txt").symlink_to("../secret.txt")
    (public / "away").symlink_to("..")
    os.mkfifo(public / "pipe")
    return root


@pytest.fixture(scope="module")
def server(site):
    with Server(site / "app.lua") as running:
        yield running


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.all_headers = [(name.lower(), value) for name, value in response.getheaders()]
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def ask(server, method, path, body=None, connection=None, **headers):
    own = connection or http.client.HTTPConnection(server.host, server.port, timeout=20)
    own.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = Answer(own.getresponse())
    if connection is None:
        own.close()
    return answer


def get(server, path, **headers):
    return ask(server, "GET", path, **headers)


def request(path="/hello", method="GET", **headers):
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"Host": "x", **headers}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def read_answer(sock, head=False):
    """(status, headers, body) of the next answer on a raw socket."""
    text = sock.read_until(b"\r\n\r\n").decode("latin-1")
    lines = text.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    length = 0 if head else int(headers.get("content-length", 0))
    return int(lines[0].split(" ")[1]), headers, sock.read_exactly(length)


def cpu(server):
    fields = open(f"/proc/{server.pid}/stat").read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # clock ticks
