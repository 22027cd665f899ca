-- Names of events that were probably meant. Listeners may be for any type of message, so that nothing is refused: only
-- what looks like a slip is told of, once.

local log = require "painda.log"
local options = require "painda.options"

local abs, ipairs, getinfo = math.abs, ipairs, debug.getinfo

local LONG = 7 -- bytes of an event's name from which on one that is nearly the same is taken for a slip
local SHORT = 4 -- bytes from which on one whose neighbouring letters are swapped is taken for a slip
local MOST = 4096 -- names that are remembered as looked at

-- What is often written for the events of either side.
local MIXED_UP = {
  peer = { disconnected = "disconnect", connected = "connect", reconnected = "reconnect" },
  server = { disconnect = "disconnection", connect = "connection" },
  client = { disconnection = "disconnect", close = "disconnect" },
}

local _M = {}

-- Is it the event but for two neighbouring letters, and long enough that nothing else is?
local function is_swapped(name, event)
  if #name ~= #event or #event < SHORT then
    return false
  end
  for i = 1, #event - 1 do
    local swapped = event:sub(1, i - 1) .. event:sub(i + 1, i + 1) .. event:sub(i, i) .. event:sub(i + 2)
    if swapped == name and name ~= event then
      return true
    end
  end
  return false
end

-- The event that was meant by `name`, which is none of `events`, or nil. `side` is "server", "client" (of a server),
-- "peer" (PPClient) or nil.
function _M.meant(side, name, events)
  local mixed_up = side and MIXED_UP[side][name]
  if mixed_up then
    return mixed_up
  end
  local candidates = {}
  for _, event in ipairs(events) do
    if is_swapped(name, event) then
      return event
    end
    if #event >= LONG and abs(#event - #name) <= 1 and name:sub(1, #event) ~= event then
      candidates[#candidates + 1] = event
    end
  end
  return candidates[1] and options.nearest(name, candidates)
end

local looked, count = { server = {}, client = {}, peer = {} }, 0

-- Warns of a slip in what the caller's caller listens to.
function _M.warn(side, what, name, events)
  if looked[side][name] or count == MOST then
    return
  end
  looked[side][name], count = true, count + 1
  local meant = _M.meant(side, name, events)
  if meant then
    local caller = getinfo(4, "Sl")
    local text = "%s:%d: %s(%q, …) listens to a type of message; did you mean the event %q?"
    log.warn(text:format(caller and caller.short_src or "?", caller and caller.currentline or 0, what, name, meant))
  end
end

return _M
