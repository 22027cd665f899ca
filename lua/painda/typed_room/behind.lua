-- The members of a typed room that are behind: more waits for them than is good, so they are told no deltas; once it
-- is sent, one delta from what they were told last to what the others know, or the whole where that is shorter.
--
--   member.since     the version that it was told last; false: it is to have the whole; nil: it is not behind
--   room._kept       the states of such versions: at most `maxKeptStates`; who is behind by more has the whole. Those
--                    of a declared state are in room._snapshots

local core = require "painda.core.server"
local views = require "painda.typed_room.views"

local next, ipairs, type = next, ipairs, type

local SPAN_FRAME = 0xFF03 -- as in runtime/wire/frame.h

local _M = {}

local function members_behind(self)
  return core.members(self.server._core, nil, { self._behind }, nil, true)
end

-- The member is not told of changes from here on, but the whole as soon as that can be.
function _M.want_whole(self, client, member)
  member.since = false
  core.join(client._ref, self._behind)
  if member.viewer then
    views.wait(member)
  end
end

-- It knows what the others do.
function _M.is_even(self, client, member)
  member.since = nil
  if not member.viewer then
    core.leave(client._ref, self._behind)
  end
end

-- --- the states that they saw last ---

local function drop(store, version)
  store[version]:clear()
  store[version] = nil
end

local function make_place(self, store)
  local count, oldest = 0, nil
  for version in next, store do
    count = count + 1
    oldest = (oldest and oldest < version) and oldest or version
  end
  if count >= self._options.maxKeptStates then
    drop(store, oldest)
  end
end

-- Keeps what was told as `version`, which `make` makes, if that can be: whether it is kept.
local function keep(self, store, version, make)
  if store[version] then
    return true
  end
  local state = self._options.maxKeptStates > 0 and make()
  if not state then
    return false
  end
  make_place(self, store)
  store[version] = state
  return true
end

-- Forgets the states that nobody needs: all but those of `needed`.
local function tidy(self, needed)
  for _, store in ipairs { self._kept, self._snapshots } do
    for version in next, store do
      if not needed[version] then
        drop(store, version)
      end
    end
  end
end

-- What the member has seen, or those without a view (nil).
local function store_of(self, member)
  local tree = not self._told.frames or (member and views.knows_tree(member))
  return tree and self._kept or self._snapshots
end

-- The state is another one, or gone.
function _M.forget(self)
  tidy(self, {})
end

-- --- falling behind, and catching up ---

local function count_fallen(self, count)
  self.server._room_fallen = self.server._room_fallen + count
  self._stats.fellBehind = self._stats.fellBehind + count
  self._lagging = true
end

-- Some fell behind when the last change was published: they were told `version` last.
function _M.fell(self, count, version)
  count_fallen(self, count)
  local kept = keep(self, store_of(self), version, function()
    return self._told:keep()
  end)
  for _, client in ipairs(members_behind(self)) do
    local member = type(client) == "table" and self._members[client]
    if member and member.since == nil and not member.viewer then
      member.since = kept and version or false
    end
  end
end

-- The same of viewers: these clients.
function _M.viewers_fell(self, clients, version, changed)
  count_fallen(self, #clients)
  for _, client in ipairs(clients) do
    local member = self._members[client]
    local kept = keep(self, store_of(self, member), version, function()
      return views.keep(self, member, changed)
    end)
    if kept then
      member.since = version
    else
      _M.want_whole(self, client, member)
    end
  end
end

-- What tells members that know `version` all since then: { json, frame }, the frame where there are any; false where
-- the whole is better.
local function message_since(self, version)
  local kept = version and store_of(self)[version]
  if not kept then
    return false
  end
  local delta, frame = self._told:since(kept, self._options.diffAlgorithm, self._version - version)
  if not delta then
    return false
  end
  local text = '{"room":%s,"delta":%s,"from":%d,"version":%d}'
  text = text:format(self._name, delta, version, self._version)
  return { json = text, frame = frame and self._number_bytes .. frame }
end

local function send_message(self, refs, message)
  local json, framed = {}, {}
  for _, ref in ipairs(refs) do
    local list = message.frame and core.takes_state(ref) and framed or json
    list[#list + 1] = ref
  end
  core.publish(self.server._core, "__pp_room_delta", message.json, json)
  if framed[1] then
    core.frame_parcel(self.server._core, SPAN_FRAME, message.frame):send(framed)
  end
end

local function count_deltas(self, count)
  self.server._room_catch_up_deltas = self.server._room_catch_up_deltas + count
  self._stats.catchUpDeltas = self._stats.catchUpDeltas + count
end

local function count_states(self, count)
  self.server._room_catch_ups = self.server._room_catch_ups + count
  self._stats.catchUps = self._stats.catchUps + count
end

-- Tells a viewer: true; or false where it has to wait for its interval.
local function tell_viewer(self, client, member, time)
  local kept = member.since and store_of(self, member)[member.since]
  if kept and views.send_since(self, client, member, kept) then
    count_deltas(self, 1)
  elseif time >= member.not_before then
    views.send_whole(self, client, member)
    count_states(self, 1)
    member.not_before = time + self._options.resyncInterval
  else
    return false
  end
  member.since = nil
  return true
end

-- Those that know the same: { message, clients }. The message is false for the whole, which nobody is told more often
-- than once in its interval; nil where the member has to wait for that.
local function group_of(self, groups, member, time)
  local since = member.since or false
  local group = groups[since]
  if not group then
    group = { message = message_since(self, since), clients = {} }
    groups[since] = group
  end
  return (group.message or time >= member.not_before) and group or nil
end

local function tell_group(self, group, time, send_whole)
  local refs = {}
  for i, client in ipairs(group.clients) do
    local member = self._members[client]
    refs[i] = client._ref
    member.not_before = group.message and member.not_before or time + self._options.resyncInterval
    _M.is_even(self, client, member)
  end
  if not refs[1] then
    return
  elseif group.message then
    send_message(self, refs, group.message)
    count_deltas(self, #refs)
  else
    send_whole(self, refs)
    count_states(self, #refs)
  end
end

-- Is the member to be told, and there? One that is away, or not let in, is told when it is there.
local function is_waiting(member)
  return member and member.here and (not member.viewer or member.since ~= nil)
end

-- Tells who can take it now.
function _M.catch_up(self, time, send_whole)
  local above = self._options.slowAbove or self.server.options.volatileAbove
  local groups, needed, waiting = {}, {}, false
  for _, client in ipairs(members_behind(self)) do
    local member = type(client) == "table" and self._members[client]
    if is_waiting(member) then
      local done, group = false, nil
      if core.queued(client._ref) > above / 4 then
        done = false
      elseif member.viewer then
        done = tell_viewer(self, client, member, time)
      else
        group = group_of(self, groups, member, time)
      end
      if group then
        group.clients[#group.clients + 1] = client
      elseif not done then
        waiting, needed[member.since] = true, true
      end
    end
  end
  self._lagging = waiting
  for _, group in next, groups do
    tell_group(self, group, time, send_whole)
  end
  tidy(self, needed)
end

return _M
