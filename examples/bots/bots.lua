-- The bots: virtual clients that play as people do, by messages. Each has a way of its own to choose.
local painda = require "painda"

local THINK = 600 -- ms
local HANDS = { "rock", "paper", "scissors" }
local BEATEN_BY = { rock = "paper", paper = "scissors", scissors = "rock" }

-- What each throws, by what its opponent threw before (a list), and a function that gives a number from 1 to n.
local characters = {
  { "Stubborn Stan", function()
    return "rock"
  end },
  { "Copycat Cleo", function(seen, random)
    return seen[#seen] or HANDS[random(3)]
  end },
  { "Counting Carl", function(seen, random)
    local counts, most = {}, nil
    for _, hand in ipairs(seen) do
      counts[hand] = (counts[hand] or 0) + 1
      most = (not most or counts[hand] > counts[most]) and hand or most
    end
    return most and BEATEN_BY[most] or HANDS[random(3)]
  end },
  { "Lady Luck", function(_, random)
    return HANDS[random(3)]
  end },
}

local _M = { characters = characters, THINK = THINK }

-- Strangers' ids are the server's choice: none begins like this.
function _M.is_bot(client)
  return client.id:find "^bot%-" ~= nil
end

local number = 0

-- Sends a bot to the server, who plays one match and goes. `random` is math.random, or a test's.
function _M.send(server, random)
  random = random or math.random
  number = number + 1
  local name, choose = unpack(characters[random(#characters)])
  local bot = painda.PPVirtualClient("bot-" .. number)
  local seen = {}

  bot:on("connect", function()
    bot:emit("play", { name = name })
  end)
  bot:on("round", function()
    painda.sleep(THINK)
    bot:emit("throw", choose(seen, random))
  end)
  bot:on("result", function(result)
    seen[#seen + 1] = result.theirs
  end)
  bot:on("over", function()
    bot:close()
  end)
  return bot:connect(server)
end

return _M
