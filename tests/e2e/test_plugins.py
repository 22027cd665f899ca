"""Plugins in a running server: hooks that raise, a new generation, the metrics plugin as Prometheus would read it."""
import re
import shutil
import signal
import subprocess
import urllib.request

import pytest

from lab import Asker
from painda import PATIENCE, Server, WebSocket, eventually, frame

pytestmark = pytest.mark.asan

APP = """
local painda = require "painda"
io.stdout:setvbuf "no"
local VERSION = %(version)s
local http = painda.HttpServer { port = 3000 }
local server = painda.PPServer.attachTo(http)
%(plugins)s
server:on("echo", function(client, payload, ack)
  client:join "room"
  ack(nil, payload)
end)
server:on("version", function(_, _, ack) ack(nil, VERSION) end)
server:on("leave", function(client, _, ack) ack(nil, client:leave "room") end)
server:on("spin", function(_, ms, ack)
  local from = os.clock()
  while os.clock() - from < ms / 1000 do end
  ack(nil, true)
end)
server:on("bad", function() error "on purpose" end)
server:on("handled", function(_, _, ack)
  local n = 0
  local metrics = server:getPlugin "pp-metrics"
  for _, count in ipairs(metrics and metrics:histograms().handlerTime.counts or {}) do n = n + count end
  ack(nil, n)
end)
http:get("/metrics", function(_, res)
  local metrics = server:getPlugin "pp-metrics"
  if not metrics then
    return res:status(404):send "no metrics"
  end
  res:header("Content-Type", "text/plain; version=0.0.4"):send(metrics:prometheus())
end)
"""

RAISES = """
local hooks = {}
for _, name in ipairs { "onConnect", "onDisconnect", "onMessage", "onSend", "onRoomJoin", "onRoomLeave", "onShutdown",
    "onError" } do
  hooks[name] = function() error("in " .. name) end
end
server:register { name = "raises", install = function() return hooks end }
server:register { name = "calm", install = function()
  return { onShutdown = function() print "calm until the end" end }
end }
"""

COUNTS = """
server:register { name = "counts", install = function(ctx)
  ctx:expose(function() return VERSION end)
  return {
    onConnect = function(client) print("met", VERSION, tostring(client.reloaded)) end,
    onMessage = function(_, msg) return msg.type ~= "banned" .. VERSION end,
  }
end }
"""

METRICS = "server:register(painda.ppMetricsPlugin, { labels = { node = 'a \"b\"' } })"


def write(path, version=1, plugins=""):
    path.write_text(APP % {"version": version, "plugins": plugins})
    return path


def reload(server):
    mark = server.mark()
    server.send_signal(signal.SIGHUP)
    return server.wait_for(r"\breloaded\b|reload failed", after=mark).group(0) == "reloaded"


def metrics(server):
    with urllib.request.urlopen(server.url("/metrics", "http"), timeout=PATIENCE) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def value(text, name, labels=""):
    found = re.search(rf"(?m)^{name}{{[^\n]*{re.escape(labels)}[^\n]*}} (\S+)$", text)
    assert found, name
    return float(found.group(1))


def test_a_plugin_that_raises_in_each_hook_harms_nobody(tmp_path):
    with Server(write(tmp_path / "app.lua", plugins=RAISES)) as server:
        with WebSocket(server) as ws:
            ask = Asker(ws)
            for n in range(20):
                assert ask("echo", n) == n
            assert ask("leave") is True
            ws.send(frame("bad"))
            assert ask("echo", "still here") == "still here"
        for hook in ("onConnect", "onMessage", "onRoomJoin", "onRoomLeave", "onError", "onDisconnect"):
            line = server.wait_for(rf'error plugin "raises": {hook} failed: \S*app.lua:\d+: in {hook}.*').group(0)
            assert "generation=1" in line
    assert 'plugin "raises": onShutdown failed' in server.log
    assert "calm until the end" in server.log


@pytest.mark.parametrize("plugin, says", [
    ('{ name = "x", install = function() error "no luck" end }', 'plugin "x": install failed: .*app.lua:\\d+: no luck'),
    ('{ name = "x", dependencies = { "y" }, install = print }', 'plugin "x" needs the plugin "y", which is not registered'),
    ('{ name = "x", install = function() return { onMesage = print } end }', 'there is no hook "onMesage", did you mean "onMessage"?'),
    ('{ name = "x" }', 'plugin "x" has no function install'),
])  # fmt: skip
def test_a_bad_plugin_stops_a_start_and_not_a_reload(tmp_path, plugin, says):
    path = write(tmp_path / "app.lua")
    with Server(path) as server, WebSocket(server) as ws:
        assert Asker(ws)("version") == 1
        write(path, 2, f"server:register({plugin})")
        assert not reload(server)
        server.wait_for(says)
        assert Asker(ws)("version") == 1


def test_hooks_belong_to_their_generation(tmp_path):
    path = write(tmp_path / "app.lua", 1, COUNTS)
    with Server(path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        assert ask("version") == 1
        server.wait_for(r"met\s1\sfalse|met\s1\snil")

        def dropped(type):
            ws.send(frame(type, ack_id=7))
            return ws.receive_frame("__pp_ack").payload.get("error", {}).get("code") == "MIDDLEWARE_ERROR"

        assert dropped("banned1")
        write(path, 2, COUNTS)
        assert reload(server)
        server.wait_for(r"met\s2\strue")
        assert dropped("banned2")
        ws.send(frame("banned1", ack_id=8))  # nobody handles it, and nobody drops it
        assert ask("version") == 2
        write(path, 3, "")
        assert reload(server)
        ws.send(frame("banned2", ack_id=9))
        assert ask("version") == 3


def test_metrics_are_what_prometheus_reads(tmp_path):
    with Server(write(tmp_path / "app.lua", plugins=METRICS)) as server:
        with WebSocket(server) as ws, WebSocket(server):
            ask = Asker(ws)
            for n in range(10):
                ask("echo", n)
            ask("spin", 30)
            ws.send(frame("bad"))
            ask("leave")
            text = metrics(server)
            promtool = shutil.which("promtool")  # where it is, it has the last word; the specs hold its rules anyway
            if promtool:
                subprocess.run([promtool, "check", "metrics"], input=text, text=True, check=True, timeout=PATIENCE)
            assert 'painda_clients{node="a \\"b\\""} 2\n' in text
            assert value(text, "painda_messages_received_total") == 13
            assert value(text, "painda_messages_sent_total") == 12
            assert value(text, "painda_room_joins_total") == value(text, "painda_room_leaves_total") == 1
            assert value(text, "painda_errors_total") == 1
            assert value(text, "painda_received_bytes_total") > 13 * 40
            assert value(text, "painda_sent_bytes_total") > 12 * 40
            assert value(text, "painda_handler_duration_seconds_count") == 13
            assert value(text, "painda_handler_duration_seconds_bucket", 'le="+Inf"') == 13
            assert value(text, "painda_handler_duration_seconds_bucket", 'le="0.025"') <= 12
            assert value(text, "painda_handler_duration_seconds_sum") >= 0.03
            assert value(text, "painda_event_loop_delay_seconds_sum") >= 0.03
        eventually(lambda: value(metrics(server), "painda_disconnections_total") == 2)


def test_what_the_plugin_measured_is_measured_no_more_without_it(tmp_path):
    path = write(tmp_path / "app.lua", plugins=METRICS)
    with Server(path) as server, WebSocket(server) as ws:
        ask = Asker(ws)
        ask("version")
        assert ask("handled") == 1
        write(path, 2)
        assert reload(server)
        assert ask("handled") == 0
        write(path, 3, METRICS)
        assert reload(server)
        assert ask("handled") == 2  # both of the first generation, none of the second
