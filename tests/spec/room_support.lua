-- What the specs of typed rooms share: an environment, members of rooms, and what they were told.

local log = require "painda.log"
local support = require "support"
local testing = require "painda.testing"

local _M = { env = nil }

-- An environment, its server and its clock.
function _M.start(options)
  local env = testing.createTestEnv(options)
  _M.env = env
  return env.server, env.clock
end

-- A connected virtual client with what it is told: { client, socket, states, deltas }.
function _M.connect(options)
  local client = _M.env:connect(options)
  return {
    client = client,
    socket = _M.env.server:getClient(client.id),
    states = support.record(client, "roomState"),
    deltas = support.record(client, "roomDelta"),
  }
end

-- A member of the room.
function _M.member(room, options)
  local who = _M.connect(options)
  assert(room:join(who.socket))
  _M.env.clock:advance(0)
  return who
end

-- A member with that view (nil: none), given before it joins.
function _M.viewer(room, view, options)
  local who = _M.connect(options)
  if view then
    room:setView(who.socket, view)
  end
  assert(room:join(who.socket))
  _M.env.clock:advance(0)
  return who
end

-- The payload that came last.
function _M.last(list)
  return list[#list] and list[#list][1]
end

-- The deltas that came, without what else is in the messages.
function _M.deltas(who)
  local out = {}
  for i, told in ipairs(who.deltas) do
    out[i] = told[1].delta
  end
  return out
end

-- Calls fn with nothing logged.
function _M.quietly(fn)
  log.set_level "silent"
  fn()
  log.set_level "warn"
end

return _M
