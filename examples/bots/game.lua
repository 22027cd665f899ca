-- Rock, paper, scissors: who plays whom, what a round is, who has won. It knows no bots but through `call_bot`: a bot
-- is a client like any other.
--
--   client sends                        client gets
--     play {name}  → ack {patience}       round {number, against, seconds, score = {mine, theirs}}
--     throw "rock" → ack                  result {mine, theirs, outcome, score}
--     leave                               over {outcome = "won" | "lost" | "left", score}
local painda = require "painda"

local BEATS = { rock = "scissors", paper = "rock", scissors = "paper" }
local NAME = 24 -- characters at most
local WINS = 3 -- rounds that win a match
local BEAT = 250 -- ms between two looks at the clock
local PATIENCE = 2000 -- ms that somebody waits for a person before a bot comes
local ROUND = 15000 -- ms that a round may take
local PAUSE = 1500 -- ms from a result to the next round

local _M = { PATIENCE = PATIENCE, ROUND = ROUND, PAUSE = PAUSE, WINS = WINS }

-- What outlives a reload: plain data and clients. A match is { players = { client, client }, score = { 0, 0 },
-- thrown = {}, number, left = ms of the round or the pause, pause = boolean }.
function _M.new()
  return { matches = {}, waiting = nil, waited = 0 }
end

-- "won", "lost" or "drawn" for who threw `mine`. Nothing thrown loses to anything.
function _M.outcome(mine, theirs)
  if mine == theirs then
    return "drawn"
  end
  return mine and (not theirs or BEATS[mine] == theirs) and "won" or "lost"
end

local function begin_round(match)
  match.number, match.left, match.pause, match.thrown = match.number + 1, ROUND, false, {}
  for i, player in ipairs(match.players) do
    local other = 3 - i
    player:emit("round", {
      number = match.number,
      against = match.players[other].data.name,
      seconds = ROUND / 1000,
      score = { match.score[i], match.score[other] },
    })
  end
end

local function end_match(state, match, tell)
  state.matches[match] = nil
  for i, player in ipairs(match.players) do
    player.data.match = nil
    player:emit("over", { outcome = tell(i), score = { match.score[i], match.score[3 - i] } })
  end
end

local function end_round(state, match)
  for i, player in ipairs(match.players) do
    local mine, theirs = match.thrown[i], match.thrown[3 - i]
    local outcome = _M.outcome(mine, theirs)
    match.score[i] = match.score[i] + (outcome == "won" and 1 or 0)
    player:emit("result", { mine = mine, theirs = theirs, outcome = outcome })
  end
  match.left, match.pause = PAUSE, true
  for i = 1, 2 do
    if match.score[i] == WINS then
      return end_match(state, match, function(of)
        return of == i and "won" or "lost"
      end)
    end
  end
end

local function pair(state, one, other)
  local match = { players = { one, other }, score = { 0, 0 }, thrown = {}, number = 0 }
  state.matches[match] = true
  one.data.match, other.data.match = match, match
  begin_round(match)
end

local function leave(state, client)
  if state.waiting == client then
    state.waiting = nil
  end
  local match = client.data.match
  if match then
    end_match(state, match, function()
      return "left"
    end)
  end
end

local function index_of(match, client)
  return match.players[1] == client and 1 or 2
end

-- The text between the spaces around it, where it is 1 to NAME characters long; else nil.
local function tidy(text)
  text = type(text) == "string" and text:match "^%s*(.-)%s*$" or ""
  local _, length = text:gsub("[^\128-\191]", "")
  return length > 0 and length <= NAME and not text:find "%c" and text or nil
end

-- Looks at the clock: rounds whose time is up, matches that go on, a person who has waited long enough.
local function beat(state, call_bot)
  for match in pairs(state.matches) do
    match.left = match.left - BEAT
    if match.left <= 0 and match.pause then
      begin_round(match)
    elseif match.left <= 0 then
      end_round(state, match)
    end
  end
  if state.waiting then
    state.waited = state.waited + BEAT
    if state.waited == PATIENCE then
      call_bot()
    end
  end
end

-- Plays on that server. call_bot() is to bring somebody who plays: is_bot(client) tells who that is.
function _M.serve(server, state, call_bot, is_bot)
  server:on("play", function(client, payload, ack)
    local name = tidy(type(payload) == "table" and payload.name)
    if not name or client.data.match or state.waiting == client then
      local why = name and "you play already" or ("a name has 1 to %d characters"):format(NAME)
      return ack(painda.Error(why, name and "PLAYS" or "BAD_NAME"))
    end
    client.data.name = name
    ack(nil, { patience = PATIENCE })
    local other = state.waiting
    if other then
      state.waiting = nil
      pair(state, other, client)
    elseif is_bot(client) then
      client:emit("over", { outcome = "left", score = { 0, 0 } }) -- whom it was called for has found somebody
    else
      state.waiting, state.waited = client, 0
    end
  end)

  server:on("throw", function(client, what, ack)
    local match = client.data.match
    if not match or match.pause or not BEATS[what] or match.thrown[index_of(match, client)] then
      return ack(painda.Error("there is nothing to throw now", "NOT_NOW"))
    end
    match.thrown[index_of(match, client)] = what
    ack(nil, what)
    if match.thrown[1] and match.thrown[2] then
      end_round(state, match)
    end
  end)

  server:on("leave", function(client)
    leave(state, client)
  end)
  server:on("disconnection", function(client)
    leave(state, client)
  end)
  painda.every(BEAT, function()
    beat(state, call_bot)
  end)
end

return _M
