-- The members of a typed room that are behind: more waits for them than is good, so they are told no deltas; once it
-- is sent, one delta from what they were told last to what the others know, or the whole where that is shorter.
--
--   member.since     the version that it was told last; false: it is to have the whole; nil: it is not behind
--   room._kept       the states of such versions: at most `maxKeptStates`; who is behind by more has the whole

local core = require "painda.core.server"

local next, ipairs, type = next, ipairs, type

local _M = {}

local function members_behind(self)
  return core.members(self.server._core, nil, { self._behind }, nil, true)
end

-- The member is not told of changes from here on, but the whole as soon as that can be.
function _M.want_whole(self, client, member)
  member.since = false
  core.join(client._ref, self._behind)
end

-- It knows what the others do.
function _M.is_even(self, client, member)
  member.since = nil
  core.leave(client._ref, self._behind)
end

-- --- the states that they saw last ---

local function drop(self, version)
  self._kept[version]:clear()
  self._kept[version] = nil
end

local function make_place(self)
  local count, oldest = 0, nil
  for version in next, self._kept do
    count = count + 1
    oldest = (oldest and oldest < version) and oldest or version
  end
  if count >= self._options.maxKeptStates then
    drop(self, oldest)
  end
end

-- Keeps what was told before the last change, if it can be: whether it is kept.
local function keep(self, version)
  if self._kept[version] then
    return true
  end
  local state = self._options.maxKeptStates > 0 and self._told:keep()
  if not state then
    return false
  end
  make_place(self)
  self._kept[version] = state
  return true
end

-- Forgets the states that nobody needs: all but those of `needed`.
local function tidy(self, needed)
  for version in next, self._kept do
    if not needed[version] then
      drop(self, version)
    end
  end
end

-- The state is another one, or gone.
function _M.forget(self)
  tidy(self, {})
end

-- --- falling behind, and catching up ---

-- Some fell behind when the last change was published: they were told `version` last.
function _M.fell(self, count, version)
  local server, stats = self.server, self._stats
  server._room_fallen = server._room_fallen + count
  stats.fellBehind = stats.fellBehind + count
  self._lagging = true
  local kept = keep(self, version)
  for _, client in ipairs(members_behind(self)) do
    local member = type(client) == "table" and self._members[client]
    if member and member.since == nil then
      member.since = kept and version or false
    end
  end
end

-- What tells members that know `version` all since then, as JSON; false where the whole is better.
local function message_since(self, version)
  local kept = version and self._kept[version]
  local delta = kept and self._told:since(kept, self._options.diffAlgorithm)
  if not delta then
    return false
  end
  return ('{"room":%s,"delta":%s,"from":%d,"version":%d}'):format(self._name, delta, version, self._version)
end

local function send_since(self, refs, message)
  local count, server = #refs, self.server
  core.publish(server._core, "__pp_room_delta", message, refs)
  server._room_catch_up_deltas = server._room_catch_up_deltas + count
  self._stats.catchUpDeltas = self._stats.catchUpDeltas + count
end

local function send_whole(self, refs, send)
  local count, server = #refs, self.server
  server._room_catch_ups = server._room_catch_ups + count
  self._stats.catchUps = self._stats.catchUps + count
  send(self, refs)
end

-- Tells who can take it now, and does not wait for its interval: nobody is told the whole more often.
function _M.catch_up(self, time, send)
  local above = self._options.slowAbove or self.server.options.volatileAbove
  local groups, messages, needed, waiting = {}, {}, {}, false
  for _, client in ipairs(members_behind(self)) do
    local member = type(client) == "table" and self._members[client]
    if member and member.here then -- one that is away, or not let in, is told when it is there
      local since, message = member.since or false, nil
      if core.queued(client._ref) <= above / 4 then
        message = messages[since]
        if message == nil then
          message = message_since(self, since)
          messages[since] = message
        end
      end
      if message or message == false and time >= member.not_before then
        groups[since] = groups[since] or {}
        groups[since][#groups[since] + 1] = client
      else
        waiting, needed[since] = true, true
      end
    end
  end
  self._lagging = waiting
  for since, clients in next, groups do
    local refs = {}
    for i, client in ipairs(clients) do
      local member = self._members[client]
      refs[i] = client._ref
      member.not_before = messages[since] and member.not_before or time + self._options.resyncInterval
      _M.is_even(self, client, member)
    end
    if messages[since] then
      send_since(self, refs, messages[since])
    else
      send_whole(self, refs, send)
    end
  end
  tidy(self, needed)
end

return _M
