-- Views: which part of a typed room's state a member sees. A room of which nobody has a view has nothing of this.
--
--   room._views      { core, maps, filters, moving, all, clients, count, faults }, while a member has one:
--       core         painda.core.server's views(), which sends
--       maps         name → number, of the maps that somebody sees a choice of
--       filters      function and maps → view: who is given the same function shares the view
--       moving       views whose centre is a table of the application's
--       clients      viewer → client
--   client._views    room → what it was given before it joined
--   member.viewer    its number, member.view its view: { number, given, maps, uses, filter, at }
--
-- A viewer is in the room "behind" of the hub for as long as it is one, so that it is not told what others are.

local core = require "painda.core.server"
local Error = require "painda.error"
local view_options = require "painda.typed_room.view_options"

local type, error, next, ipairs, pairs, xpcall = type, error, next, ipairs, pairs, xpcall
local concat, traceback = table.concat, debug.traceback

local check, is_point = view_options.check, view_options.is_point
local STATE_FRAME = 0xFF01 -- as in runtime/wire/frame.h

local _M = {}

-- --- views ---

local function ensure(self)
  if not self._views then
    self._views = {
      core = core.views(self.server._core, self._name),
      maps = {},
      filters = {},
      moving = {},
      clients = {},
      faults = {},
      count = 0,
    }
    if self._told.frames then
      self._views.core:frames(self._told:address(), self._number_bytes)
    end
  end
  return self._views
end

-- The numbers of the maps. Looks at the state again where one is new. Raises where they are too many, or can't be.
local function number_maps(self, names, level)
  for _, name in ipairs(names) do
    if self._told.frames and not self._told:has_map(name) then
      error(("room %q: its state has no map %q that a view could be of"):format(self.id, name), level + 1)
    end
  end
  local views, is_new = ensure(self), false
  for _, name in ipairs(names) do
    if not views.maps[name] then
      views.maps[name] = views.core:map(name)
      is_new = true
    end
    if not views.maps[name] then
      error(("room %q: its views are of %d maps already"):format(self.id, view_options.MOST_MAPS), level + 1)
    end
  end
  if is_new then
    views.core:look(self._told:tree(), true)
  end
end

local function new_near(self, client, checked, view, level)
  local views, first = self._views, nil
  for _, name in ipairs(view.maps) do
    local place = views.core:place(views.maps[name], checked.x or "x", checked.y or "y")
    if not place then
      views.core:free(view.number)
      error(("room %q: its views have too many different coordinates"):format(self.id), level + 1)
    end
    first = first or place
    views.core:choose(view.number, views.maps[name], place)
  end
  local of = checked.of or (not checked.at and client.id) or nil
  of = type(of) == "table" and of.id or of
  views.core:near(view.number, checked.radius, checked.margin or 0, of, first)
  if checked.at then
    view.at = checked.at
    views.core:move(view.number, checked.at.x, checked.at.y)
    views.moving[view] = true
  end
end

-- The view that was given: a new one, or where it is a function one that others have too.
local function view_of(self, client, checked, level)
  number_maps(self, checked.maps, level + 1)
  local views = self._views
  local key = checked.filter and concat(checked.maps, "\0")
  local shared = key and views.filters[checked.filter] and views.filters[checked.filter][key]
  if shared then
    shared.uses = shared.uses + 1
    return shared
  end
  local view = { number = views.core:new(), maps = checked.maps, uses = 1, given = checked.given }
  if not key then
    new_near(self, client, checked, view, level + 1)
    return view
  end
  for _, name in ipairs(view.maps) do
    views.core:choose(view.number, views.maps[name])
  end
  view.filter, view.key = checked.filter, key
  views.filters[view.filter] = views.filters[view.filter] or {}
  views.filters[view.filter][key] = view
  return view
end

local function release(self, view)
  view.uses = view.uses - 1
  if view.uses > 0 then
    return
  end
  local views = self._views
  views.moving[view] = nil
  if view.filter then
    views.filters[view.filter][view.key] = nil
    views.filters[view.filter] = next(views.filters[view.filter]) and views.filters[view.filter]
  end
  views.core:free(view.number)
end

-- --- what goes wrong ---

-- Told once for as long as it is the same.
local function complain(self, where, key, text, err, report)
  if where[key] ~= text then
    where[key] = text
    report(self, ("room %q: %s"):format(self.id, text), err)
  end
end

local function on_raise(raised)
  return { raised = raised, trace = traceback(Error.from(raised).message, 2) }
end

-- The names that a filter lets through, of each of its maps.
local function choose(state, view)
  local chosen = {}
  for i, name in ipairs(view.maps) do
    local ids, count = {}, 0
    local map = state[name]
    for id, entity in pairs(map ~= nil and type(map) ~= "string" and map or {}) do
      if view.filter(id, entity, name) then
        count = count + 1
        ids[count] = id
      end
    end
    chosen[i] = { ids, count }
  end
  return chosen
end

-- Asks the view's function. Where it raises, the view stays what it was.
local function ask(self, view, report)
  local ok, chosen = xpcall(choose, on_raise, self._state, view)
  if not ok then
    local who = "the view of several members"
    for _, client in pairs(view.uses == 1 and self._views.clients or {}) do
      who = self._members[client].view == view and ("the view of the client %s"):format(client.id) or who
    end
    local text = ("%s failed: %s; it sees what it saw"):format(who, (chosen.trace:gsub("\t", "")))
    return complain(self, view, "complaint", text, Error.from(chosen.raised, "HANDLER_ERROR"), report)
  end
  view.complaint = nil
  for i, name in ipairs(view.maps) do
    self._views.core:list(view.number, self._views.maps[name], chosen[i][1], chosen[i][2])
  end
end

local function move(self, view, report)
  if is_point(view.at) then
    view.complaint = nil
    return self._views.core:move(view.number, view.at.x, view.at.y)
  end
  local text = "the centre of a view has no numbers x and y; it stays where it was"
  complain(self, view, "complaint", text, Error.new(text, "ROOM_ERROR"), report)
end

local function tell_faults(self, report)
  local views = self._views
  for name, number in next, views.maps do
    local fault = views.core:fault(number)
    if fault then
      local text = ("state.%s %s: members with a view see nothing of it"):format(name, fault)
      complain(self, views.faults, name, text, Error.new(text, "ROOM_ERROR"), report)
    else
      views.faults[name] = nil
    end
  end
end

-- --- viewers ---

local function add(self, client, member, view)
  local views = self._views
  local even = member.here and member.since == nil and member.told
  member.viewer = views.core:add(client._ref, view.number, self._version, even)
  views.clients[member.viewer] = client
  views.count = views.count + 1
  core.join(client._ref, self._behind)
  if not even and member.told then
    member.since, self._lagging = false, true
  end
end

-- The member is no viewer any more. The last one takes all of this away.
function _M.forget(self, member)
  local views = self._views
  if not member.viewer then
    return
  end
  views.core:remove(member.viewer)
  views.clients[member.viewer] = nil
  if member.view then
    release(self, member.view)
  end
  member.viewer, member.view = nil, nil
  views.count = views.count - 1
  if views.count == 0 then
    views.core:clear()
    self._views = nil
  end
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

local function set_all(self, member)
  local views = self._views
  views.all = views.all or views.core:new()
  views.core:view(member.viewer, views.all, true)
  release(self, member.view)
  member.view = nil
end

local function set(self, client, member, checked, report, level)
  local before = member.view
  if not checked then
    return before and set_all(self, member)
  end
  local view = view_of(self, client, checked, level + 1)
  member.view = view
  if member.viewer then
    self._views.core:view(member.viewer, view.number, false)
  else
    add(self, client, member, view)
  end
  if before then
    release(self, before)
  end
  if view.filter and view.uses == 1 then
    ask(self, view, report)
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
  local ok, result = xpcall(function()
    local view = given(client, self)
    return view ~= nil and check(self, view, 1) or nil
  end, on_raise)
  if ok then
    return result
  end
  local text = ("room %q: the option view failed: %s"):format(self.id, (result.trace:gsub("\t", "")))
  report(self, text, Error.from(result.raised, "HANDLER_ERROR"))
  return false
end

local NOTHING = {
  filter = function()
    return false
  end,
}

-- The client has become a member, and has been told nothing. Where its view can't be made it sees no entities.
function _M.begin(self, client, member, report)
  local checked = take_next(self, client)
  if not checked and self._options.view then
    checked = by_option(self, client, report)
    member.by_option = true
    if checked == false then
      checked = self._options.entities and check(self, { filter = NOTHING.filter }, 1)
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

-- The state is another one: everybody's view is made again, and told all of it.
function _M.restart(self, report)
  local given, views = {}, self._views
  for _, client in next, views and views.clients or {} do
    local member = self._members[client]
    given[client] = member.view and check(self, member.view.given, 1) or false
    _M.forget(self, member)
  end
  for client, checked in next, given do
    if checked then
      set(self, client, self._members[client], checked, report, 1)
    end
  end
end

-- --- telling ---

local function takes_frames(self, client)
  return self._told.frames and core.takes_state(client._ref)
end

-- Tells a viewer all that it sees.
function _M.send_whole(self, client, member)
  if takes_frames(self, client) then
    local bytes = self._views.core:whole_frame(member.viewer, self._version)
    core.frame_parcel(self.server._core, STATE_FRAME, bytes):send { client._ref }
    return
  end
  local state = self._views.core:whole(member.viewer, self._version)
  local text = ('{"room":%s,"state":%s,"full":true,"version":%d}'):format(self._name, state, self._version)
  core.publish(self.server._core, "__pp_room_state", text, { client._ref })
end

-- The viewer knows what it sees, without being told: it was told elsewhere.
function _M.assume(self, client, member)
  local views = self._views.core
  local write = takes_frames(self, client) and views.whole_frame or views.whole
  write(views, member.viewer, self._version)
end

-- Tells a viewer what became different since `kept`. False where all of it is shorter, or comes in a frame.
function _M.send_since(self, client, member, kept)
  if takes_frames(self, client) then
    return false
  end
  local delta, from = self._views.core:since(member.viewer, kept, self._version)
  if not delta then
    return false
  end
  local text = ('{"room":%s,"delta":%s,"from":%d,"version":%d}'):format(self._name, delta, from, self._version)
  core.publish(self.server._core, "__pp_room_delta", text, { client._ref })
  return true
end

-- It knows nothing, until it is told all.
function _M.wait(self, member)
  self._views.core:wait(member.viewer)
end

-- Those that have no view any more know all, and are members like others.
local function let_go(self, viewers)
  for _, viewer in ipairs(viewers) do
    local client = self._views.clients[viewer]
    _M.forget(self, self._members[client])
    core.leave(client._ref, self._behind)
  end
end

local function look(self, changed, report)
  local views = self._views
  views.core:look(self._told:tree(), not changed)
  tell_faults(self, report)
  for view in next, views.moving do
    move(self, view, report)
  end
  for _, by_maps in next, views.filters do
    for _, view in next, by_maps do
      ask(self, view, report)
    end
  end
end

-- Numbers of entities are kept for those that are behind; where they are too many these begin anew.
local function give_up_numbers(self)
  if self._views.core:is_crowded() then
    for _, client in next, self._views.clients do
      local member = self._members[client]
      if member.since then
        member.since = false
        _M.wait(self, member)
      end
    end
  end
end

-- A tick: tells each viewer what became different for it. Returns who fell behind.
function _M.tick(self, changed, above, report)
  look(self, changed, report)
  local views, stats = self._views, self._stats
  local sent, made, bytes, fell, left = views.core:publish(self._version, above)
  stats.viewDeltas, stats.viewEncodes = stats.viewDeltas + sent, stats.viewEncodes + made
  stats.viewBytes = stats.viewBytes + bytes
  give_up_numbers(self)
  local clients = {}
  for i, viewer in ipairs(fell or {}) do
    clients[i] = views.clients[viewer]
  end
  if left then
    let_go(self, left)
  end
  return clients
end

-- What they knew, for those that fell behind.
function _M.keep(self, changed)
  return core.keep(self._told:tree(), not changed)
end

return _M
