-- The rows "reload": an application of a thousand handlers, each a function of its own, that a thousand clients are
-- connected to. The handlers are in a file of their own, which the load writes, and grows by a line before each reload.
local painda = require "painda"

local server = painda.PPServer { port = 3000, heartbeat = false, maxConnectionsPerIp = 100000, maxPendingPerIp = 0 }
local kept = painda.state "kept"

kept.loads = (kept.loads or 0) + 1
_G.server, _G.loads = server, kept.loads
dofile(os.getenv "BENCH_HANDLERS")

server:on("connection", function(client)
  client:on("move", function(payload)
    client:to("all"):emit("moved", payload)
  end)
  client:on("disconnect", function()
    client.data.gone = true
  end)
  client:join "all"
end)
