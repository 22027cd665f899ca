-- Many clients that chat, and watch over the numbers of what they hear: each follows the one before, unless the client
-- was told that it is not recovered. $URL, $CHATTERS and $SECONDS say where, how many and for how long.

local painda = require "painda"
local json = require "painda.json"

io.stdout:setvbuf "no"

local COUNT, SECONDS = tonumber(os.getenv "CHATTERS"), tonumber(os.getenv "SECONDS")
local total = { wrong = 0, heard = 0, recovered = 0, missed = 0, fresh = 0, final = 0, disconnects = 0 }
local clients, ended = {}, false

local function say(...)
  print("say " .. json.encode { ... })
end

local function chatter(i)
  local client = painda.PPClient {
    url = os.getenv "URL",
    reconnectDelay = 10,
    reconnectDelayMax = 200,
    heartbeat = { interval = 400, timeout = 400 },
    offlineQueue = 16,
    json = i % 4 == 0,
  }
  local last, id, done
  client:on("connect", function()
    if not client.id then
      total.wrong = total.wrong + 1
      say("no id at connect", i)
    end
    id = id or client.id
  end)
  client:on("disconnect", function()
    total.disconnects = total.disconnects + 1
  end)
  client:on("recovery", function(found)
    if found.recovered then
      total.recovered = total.recovered + 1
      total.missed = total.missed + found.missedCount
      if client.id ~= id then
        total.wrong = total.wrong + 1
        say("recovered as another", i, id, client.id)
      end
    else
      total.fresh = total.fresh + 1
      last, id = nil, client.id
    end
  end)
  client:on("chat", function(said)
    if last and said.n ~= last + 1 then
      total.wrong = total.wrong + 1
      say("wrong", i, last, said.n)
    end
    last = said.n
    total.heard = total.heard + 1
    if said.final and not done then
      done = true
      total.final = total.final + 1
    end
    if total.final == COUNT and not ended then
      ended = true
      say("report", total)
    end
  end)
  clients[i] = client
end

for i = 1, COUNT do
  chatter(i)
end

local talking = painda.every(20, function()
  clients[math.random(COUNT)]:emit("chat", { text = ("x"):rep(math.random(200)) })
end)
painda.after(SECONDS * 1000, function()
  talking:cancel()
  say "quiet"
end)
