-- The row "virtual": ten thousand clients within the process connect, join a room and hear three broadcasts. Prints
-- milliseconds, and the bytes of resident memory that each of them takes.
local painda = require "painda"
local runtime = require "painda.core.runtime"

local COUNT, BROADCASTS = 10000, 3

local function resident()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "VmRSS:%s+(%d+)"
    if kilobytes then
      return tonumber(kilobytes) * 1024
    end
  end
end

local server = painda.PPServer { port = 0, host = "127.0.0.1", logger = "warn" }
server:on("connection", function(client)
  client:join "room"
end)

local function await(check)
  while not check() do
    painda.sleep(1)
  end
end

painda.after(0, function()
  runtime.collect()
  local before, start, connected, heard = resident(), runtime.now(), 0, 0
  for i = 1, COUNT do
    local bot = painda.PPVirtualClient("bot-" .. i)
    bot:on("connect", function()
      connected = connected + 1
    end)
    bot:on("state", function(state)
      heard = heard + state.one
    end)
    bot:connect(server)
  end
  await(function()
    return connected == COUNT
  end)
  local connect = runtime.now() - start
  start = runtime.now()
  for round = 1, BROADCASTS do
    server:to("room"):emit("state", { one = 1, round = round })
    await(function()
      return heard == round * COUNT
    end)
  end
  local broadcast = (runtime.now() - start) / BROADCASTS
  runtime.collect()
  local report = '{"connect_ms": %.2f, "broadcast_ms": %.2f, "bytes": %.0f}'
  print(report:format(connect, broadcast, (resident() - before) / COUNT))
  runtime.stop(0)
end)
