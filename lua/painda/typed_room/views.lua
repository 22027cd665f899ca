-- Views: which part of a typed room's state a member sees. A room of which nobody has a view has nothing of this.
--
--   room._views      its groups (view_group.lua), by form; nil where there are none
--   client._views    room → what it was given before it joined
--   member.viewer    its number in member.views, its group; member.view: its view, nil where that was taken away
--
-- A viewer is in the room "behind" of the hub for as long as it is one, so that it is not told what others are.

local core = require "painda.core.server"
local json = require "painda.core.json"
local Error = require "painda.error"
local view_group = require "painda.typed_room.view_group"
local varint = require "painda.typed_room.varint"
local view_options = require "painda.typed_room.view_options"

local type, error, next, ipairs, pcall, xpcall = type, error, next, ipairs, pcall, xpcall
local traceback = debug.traceback

local STATE_FRAME, SPAN_FRAME = 0xFF01, 0xFF03 -- as in runtime/wire/frame.h

local check = view_options.check

local _M = {}

local function on_raise(raised)
  return { raised = raised, trace = traceback(Error.report(raised), 2) }
end

-- --- viewers ---

local function form_of(self, client)
  return self._told.frames and core.takes_state(client._ref) and "frames" or "json"
end

local function group_of(self, form)
  self._views = self._views or {}
  self._views[form] = self._views[form] or view_group.new(self, form)
  return self._views[form]
end

-- A group that nobody is in is none.
local function tidy(self, group)
  if group.count == 0 then
    group.core:clear()
    self._views[group.form] = nil
    self._views = next(self._views) and self._views or nil
  end
end

-- Makes the member a viewer. It knows all, if it is a member like others; else it is to be told all that it sees.
local function add(self, client, member, group, view)
  local even = member.here and member.since == nil and member.told
  member.views, member.view = group, view
  member.viewer = group.core:add(client._ref, view.number, self._version, even)
  group.clients[member.viewer] = client
  group.count = group.count + 1
  core.join(client._ref, self._behind)
  if not even and member.told then
    member.since, self._lagging = false, true
  end
end

-- The member is no viewer any more. The last one takes all of this away.
function _M.forget(self, member)
  local group = member.views
  if not group then
    return
  end
  group.core:remove(member.viewer)
  group.clients[member.viewer] = nil
  if member.view then
    view_group.release(group, member.view)
  end
  member.viewer, member.view, member.views = nil, nil, nil
  group.count = group.count - 1
  tidy(self, group)
end

function _M.count(self)
  local count = 0
  for _, group in next, self._views or {} do
    count = count + group.count
  end
  return count
end

-- What the view of a client that is no member yet will be. The client keeps it, since it may hold the client.
local function set_next(self, client, checked)
  client._views = client._views or {}
  client._views[self] = checked
  client._views = next(client._views) and client._views
end

local function take_next(self, client)
  local checked = client._views and client._views[self]
  if checked then
    set_next(self, client, nil)
  end
  return checked
end

local function set_all(member)
  local group = member.views
  group.all = group.all or group.core:new()
  group.core:view(member.viewer, group.all, true)
  view_group.release(group, member.view)
  member.view = nil
end

local function set(self, client, member, checked, report, level)
  local before = member.view
  if not checked then
    return before and set_all(member)
  end
  local group = member.views or group_of(self, form_of(self, client))
  local fine, view = pcall(view_group.view_of, group, client, checked)
  if not fine then
    tidy(self, group)
    error(view, level + 1)
  end
  if member.viewer then
    group.core:view(member.viewer, view.number, false)
    member.view = view
  else
    add(self, client, member, group, view)
  end
  if before then
    view_group.release(group, before)
  end
  if view.filter and view.uses == 1 then
    view_group.ask(group, view, report)
  end
end

-- Gives the client a view, or takes its view away (nil). Raises where it can't be one.
function _M.set(self, client, given, report, level)
  level = level + 1
  local checked = given ~= nil and check(self, given, level) or nil
  local member = self._members[client]
  if not member then
    return set_next(self, client, checked)
  end
  member.by_option = false
  set(self, client, member, checked, report, level)
end

function _M.get(self, client)
  local member = self._members[client]
  local view = member and member.view or not member and client._views and client._views[self]
  return view and view.given or nil
end

-- What the room's option says that a client sees.
local function by_option(self, client, report)
  local given = self._options.view
  if type(given) ~= "function" then
    return given and check(self, given, 1)
  end
  local ok, result = xpcall(core.without_waiting, on_raise, function()
    local view = given(client, self)
    return view ~= nil and check(self, view, 1) or nil
  end)
  if ok then
    return result
  end
  local text = ("room %q: the option view failed: %s"):format(self.id, (result.trace:gsub("\t", "")))
  report(self, text, Error.from(result.raised, "HANDLER_ERROR"))
  return false
end

-- A view of no entities: of the maps that views are of, or where nobody has said which, of all that there are.
local function nothing_of(self)
  local maps = self._options.entities or {}
  if not maps[1] then
    for name, value in next, json.decode(self._told:json()) do
      maps[#maps + 1] = type(name) == "string" and type(value) == "table" and #maps < view_options.MOST_MAPS and name
        or nil
    end
  end
  return maps[1] and check(self, {
    map = maps,
    filter = function()
      return false
    end,
  }, 1)
end

-- The client has become a member, and has been told nothing. Where its view can't be made it sees no entities.
function _M.begin(self, client, member, report)
  local checked = take_next(self, client)
  if not checked and self._options.view then
    checked = by_option(self, client, report)
    member.by_option = true
    if checked == false then
      checked = nothing_of(self)
    end
  end
  if checked then
    set(self, client, member, checked, report, 1)
  end
end

-- Other options are in force: who has its view by them is given what they say.
function _M.apply(self, before, report)
  if before.view == self._options.view then
    return
  end
  for client, member in next, self._members do
    if member.by_option or (not member.view and self._options.view) then
      local checked = self._options.view and by_option(self, client, report) or nil
      member.by_option = self._options.view ~= nil
      set(self, client, member, checked, report, 1)
      self._dirty = true
    end
  end
end

-- Makes the member's view once more, of the state or for the client as they are now: it knows nothing.
local function remake(self, client, member, report)
  local checked = member.view and check(self, member.view.given, 1)
  _M.forget(self, member)
  if checked then
    set(self, client, member, checked, report, 1)
  elseif member.told then
    core.leave(client._ref, self._behind)
  end
end

-- The state is another one.
function _M.restart(self, report)
  for client, member in next, self._members do
    if member.views then
      member.since = false
      remake(self, client, member, report)
    end
  end
end

-- The client is here, for the first time or again; perhaps it takes another form now.
function _M.arrive(self, client, member, report)
  if member.views and member.views.form ~= form_of(self, client) then
    member.since = false
    remake(self, client, member, report)
    member.since = nil
  end
end

-- --- telling ---

-- Tells a viewer all that it sees.
function _M.send_whole(self, client, member)
  local state = member.views.core:whole(member.viewer, self._version)
  if member.views.form == "frames" then
    core.frame_parcel(self.server._core, STATE_FRAME, self._number_bytes .. state):send { client._ref }
  else
    local text = ('{"room":%s,"state":%s,"full":true,"version":%d}'):format(self._name, state, self._version)
    core.publish(self.server._core, "__pp_room_state", text, { client._ref })
  end
end

-- The viewer knows what it sees, without being told: it was told elsewhere.
function _M.assume(self, _, member)
  member.views.core:whole(member.viewer, self._version)
end

-- Tells a viewer what became different since `kept`. False where all of it is shorter, or there can be none.
function _M.send_since(self, client, member, kept)
  local framed = member.views.form == "frames"
  local past = framed and self._told:copy_since(kept) or kept
  local delta, from = member.views.core:since(member.viewer, past, self._version)
  if not delta then
    return false
  elseif framed then
    local bytes = self._number_bytes .. varint(self._version - from) .. delta
    core.frame_parcel(self.server._core, SPAN_FRAME, bytes):send { client._ref }
    return true
  end
  local text = ('{"room":%s,"delta":%s,"from":%d,"version":%d}'):format(self._name, delta, from, self._version)
  core.publish(self.server._core, "__pp_room_delta", text, { client._ref })
  return true
end

-- It knows nothing, until it is told all.
function _M.wait(member)
  member.views.core:wait(member.viewer)
end

-- Those that have no view any more know all, and are members like others.
local function let_go(self, group, viewers)
  for _, viewer in ipairs(viewers) do
    local client = group.clients[viewer]
    _M.forget(self, self._members[client])
    core.leave(client._ref, self._behind)
  end
end

-- Numbers of entities are kept for those that are behind; where they are too many these begin anew.
local function give_up_numbers(self, group)
  if group.core:is_crowded() then
    for _, client in next, group.clients do
      local member = self._members[client]
      if member.since then
        member.since = false
        _M.wait(member)
      end
    end
  end
end

-- Adds to `clients` those that fell behind.
local function tick(self, group, changed, above, report, clients)
  local stats = self._stats
  view_group.look(group, changed, report)
  if group.count == 0 then
    return
  end
  local sent, made, bytes, fell, left = group.core:publish(self._version, above)
  stats.viewDeltas, stats.viewEncodes = stats.viewDeltas + sent, stats.viewEncodes + made
  stats.viewBytes = stats.viewBytes + bytes
  give_up_numbers(self, group)
  for _, viewer in ipairs(fell or {}) do
    clients[#clients + 1] = group.clients[viewer]
  end
  if left then
    let_go(self, group, left)
  end
end

-- A tick: tells each viewer what became different for it. Returns who fell behind.
function _M.tick(self, changed, above, report)
  local clients, json_group, frames = {}, self._views.json, self._views.frames
  if json_group then
    tick(self, json_group, changed, above, report, clients)
  end
  if frames then
    tick(self, frames, changed, above, report, clients)
  end
  return clients
end

-- Will somebody fall behind for whom told:remember() has to be called?
function _M.are_slow(self, above)
  local group = self._views and self._views.frames
  return group ~= nil and group.core:is_slow(above)
end

-- Is the member told a tree of a declared state, instead of the state?
function _M.knows_tree(member)
  return member.views ~= nil and member.views.form == "json"
end

-- What a member knew that fell behind.
function _M.keep(self, member, changed)
  if _M.knows_tree(member) then
    return core.keep(self._told:tree(), not changed)
  end
  return self._told:keep(not changed)
end

return _M
