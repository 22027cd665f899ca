"""An application in versions, and how a server is made to take the next one."""
import re
import signal

import pytest

from painda import eventually

APP = """
local painda = require "painda"
io.stdout:setvbuf "no"
local server = painda.PPServer { port = 3000, %(options)s }
local VERSION = %(version)s
%(extra)s
server:on("connection", function(client)
  print("connection", VERSION, client.id, tostring(client.reloaded))
  client.data.visits = (client.data.visits or 0) + 1
  client:on("version", function(_, ack) ack(nil, VERSION) end)
  client:on("visits", function(_, ack) ack(nil, client.data.visits) end)
  client:on("sleep", function(ms, ack) painda.sleep(ms) ack(nil, VERSION) end)
  client:on("ask", function(_, ack)
    local answer, err = client:request("question", VERSION)
    ack(nil, { answer or tostring(err), VERSION })
  end)
  client:on("disconnect", function() print("disconnect", VERSION) end)
  client:on("tag", function(payload, ack) client:setTag("t", payload) ack(nil, true) end)
  client:on("tagged", function(_, ack) ack(nil, client:getTag "t" or painda.null) end)
end)
server:on("stats", function(_, _, ack) ack(nil, server:getStats()) end)
server:on("server-version", function(_, _, ack) ack(nil, VERSION) end)
server:on("count", function(client, n) client:emit("counted", { n, VERSION }) end)
"""


class App:
    """A folder with an application in versions."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "app.lua"
        self.write(1)

    def source(self, version, options="", extra=""):
        return APP % {"version": version, "options": options, "extra": extra}

    def write(self, version, **more):
        self.save(self.source(version, **more))

    def save(self, text, name="app.lua"):
        """Like an editor: a new file that takes the place of the old."""
        path = self.folder / name
        fresh = path.with_name(path.name + "~new")
        fresh.write_text(text)
        fresh.rename(path)


@pytest.fixture
def app(tmp_path):
    return App(tmp_path)


def hang_up(server):
    """SIGHUP; returns when the log tells of what came of it: True where it was reloaded."""
    mark = server.mark()
    server.send_signal(signal.SIGHUP)
    return server.wait_for(r"\breloaded\b|reload failed", after=mark).group(0) == "reloaded"


def becomes(ask, version):
    """Polls until that version answers."""
    eventually(lambda: ask("version") == version, f"version {version}")
