-- Who is there, as a client is told: the whole list, or what changed in it. Its listeners are always given the list.

local array = require("painda.core.json").array
local calls = require "painda.client.calls"

local type, ipairs, pairs = type, ipairs, pairs

local _M = {}

local function entries_of(list)
  local out = array {} -- an empty one is a list too
  for _, entry in ipairs(type(list) == "table" and list or {}) do
    if type(entry) == "table" and type(entry.clientId) == "string" then
      out[#out + 1] = entry
    end
  end
  return out
end

local function copy(entry)
  local out = {}
  for key, value in pairs(entry or {}) do
    out[key] = value
  end
  return out
end

-- Takes __pp_presence.
function _M.on_list(client, payload)
  local list = entries_of(payload.presences)
  client._presences = list
  calls.fire(client, "presence", { presences = list })
end

-- Takes __pp_presence_diff. A list that was given away is not changed: a new one takes its place.
function _M.on_changes(client, payload)
  local changes = entries_of(payload.changes)
  local last, kept, seen = {}, array {}, {}
  for _, change in ipairs(changes) do
    last[change.clientId] = change
  end
  local function keep(id, entry)
    local change = last[id]
    if change then
      entry = copy(entry)
      entry.clientId, entry.data = id, change.data
    end
    kept[#kept + 1] = entry
  end
  for _, entry in ipairs(client._presences or {}) do
    local change = last[entry.clientId]
    seen[entry.clientId] = true
    if not change or change.type ~= "leave" then
      keep(entry.clientId, entry)
    end
  end
  for _, change in ipairs(changes) do
    local id = change.clientId
    if not seen[id] and last[id].type ~= "leave" then
      seen[id] = true
      keep(id)
    end
  end
  client._presences = kept
  calls.fire(client, "presence", { presences = kept, changes = changes })
end

return _M
