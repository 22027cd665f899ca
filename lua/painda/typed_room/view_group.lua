-- The views of a typed room's members that are told in one form: JSON, or where the state is declared, frames. What
-- views there are, and what is asked and looked up for them at a tick.
--
--   group = { room, form, core, maps, filters, moving, clients, all, count, faults }
--       form         "json" or "frames"
--       core         painda.core.server's views(), which sends
--       maps         name → number, of the maps that somebody sees a choice of
--       filters      function and maps → view: who is given the same function shares the view
--       moving       views whose centre is a table of the application's
--       clients      viewer → client; count: how many they are
--       all          the number of the view that sees all, where somebody's was taken away
--   view = { number, maps, uses, given, filter, key, at, complaint }

local core = require "painda.core.server"
local Error = require "painda.error"
local view_options = require "painda.typed_room.view_options"

local type, error, next, ipairs, pairs, xpcall = type, error, next, ipairs, pairs, xpcall
local concat, traceback = table.concat, debug.traceback
local is_point = view_options.is_point

local _M = {}

function _M.new(room, form)
  local views
  if form == "frames" then
    views = core.views(room.server._core, room._number_bytes, room._told:address())
  else
    views = core.views(room.server._core, room._name)
  end
  return {
    room = room,
    form = form,
    core = views,
    maps = {},
    filters = {},
    moving = {},
    clients = {},
    faults = {},
    count = 0,
  }
end

local function look(group, changed)
  if group.form == "frames" then
    group.core:look_at_state(changed)
  else
    group.core:look(group.room._told:tree(), not changed)
  end
end

-- The numbers of the maps. Looks at the state again where one is new. Raises where they are too many.
local function number_maps(group, names)
  local is_new, told = false, group.room._told
  for _, name in ipairs(names) do
    if told.frames and not told:has_map(name) then
      error(("room %q: its state has no map %q that a view could be of"):format(group.room.id, name), 0)
    end
  end
  for _, name in ipairs(names) do
    if not group.maps[name] then
      group.maps[name] = group.core:map(name)
      is_new = true
    end
    if not group.maps[name] then
      error(("room %q: its views are of %d maps already"):format(group.room.id, view_options.MOST_MAPS), 0)
    end
  end
  if is_new then
    look(group, false)
  end
end

local function new_near(group, client, checked, view)
  local first
  for _, name in ipairs(view.maps) do
    local place = group.core:place(group.maps[name], checked.x or "x", checked.y or "y")
    if not place then
      group.core:free(view.number)
      error(("room %q: its views have too many different coordinates"):format(group.room.id), 0)
    end
    first = first or place
    group.core:choose(view.number, group.maps[name], place)
  end
  local of = checked.of or (not checked.at and client.id) or nil
  of = type(of) == "table" and of.id or of
  group.core:near(view.number, checked.radius, checked.margin or 0, of, first)
  if checked.at then
    view.at = checked.at
    group.core:move(view.number, checked.at.x, checked.at.y)
    group.moving[view] = true
  end
end

-- The view that was given: a new one, or where it is a function one that others have too. Raises a text.
function _M.view_of(group, client, checked)
  number_maps(group, checked.maps)
  local key = checked.filter and concat(checked.maps, "\0")
  local shared = key and group.filters[checked.filter] and group.filters[checked.filter][key]
  if shared then
    shared.uses = shared.uses + 1
    return shared
  end
  local view = { number = group.core:new(), maps = checked.maps, uses = 1, given = checked.given }
  if not key then
    new_near(group, client, checked, view)
    return view
  end
  for _, name in ipairs(view.maps) do
    group.core:choose(view.number, group.maps[name])
  end
  view.filter, view.key = checked.filter, key
  group.filters[view.filter] = group.filters[view.filter] or {}
  group.filters[view.filter][key] = view
  return view
end

function _M.release(group, view)
  view.uses = view.uses - 1
  if view.uses > 0 then
    return
  end
  group.moving[view] = nil
  if view.filter then
    group.filters[view.filter][view.key] = nil
    group.filters[view.filter] = next(group.filters[view.filter]) and group.filters[view.filter]
  end
  group.core:free(view.number)
end

-- --- what goes wrong ---

-- Told once for as long as it is the same.
local function complain(group, where, key, text, err, report)
  if where[key] ~= text then
    where[key] = text
    report(group.room, ("room %q: %s"):format(group.room.id, text), err)
  end
end

local function on_raise(raised)
  return { raised = raised, trace = traceback(Error.report(raised), 2) }
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
function _M.ask(group, view, report)
  local ok, chosen = xpcall(core.without_waiting, on_raise, choose, group.room._state, view)
  if not ok then
    local who = "the view of several members"
    for _, client in pairs(view.uses == 1 and group.clients or {}) do
      who = group.room._members[client].view == view and ("the view of the client %s"):format(client.id) or who
    end
    local text = ("%s failed: %s; it sees what it saw"):format(who, (chosen.trace:gsub("\t", "")))
    return complain(group, view, "complaint", text, Error.from(chosen.raised, "HANDLER_ERROR"), report)
  end
  view.complaint = nil
  for i, name in ipairs(view.uses > 0 and view.maps or {}) do -- it may have ended its own view
    group.core:list(view.number, group.maps[name], chosen[i][1], chosen[i][2])
  end
end

local function move(group, view, report)
  if is_point(view.at) then
    view.complaint = nil
    return group.core:move(view.number, view.at.x, view.at.y)
  end
  local text = "the centre of a view has no numbers x and y; it stays where it was"
  complain(group, view, "complaint", text, Error.new(text, "ROOM_ERROR"), report)
end

local function tell_faults(group, report)
  for name, number in next, group.maps do
    local fault = group.core:fault(number)
    if fault then
      local text = ("state.%s %s: members with a view see nothing of it"):format(name, fault)
      complain(group, group.faults, name, text, Error.new(text, "ROOM_ERROR"), report)
    else
      group.faults[name] = nil
    end
  end
end

-- The views with a function, as an array: a function may change which there are.
local function filtered(group)
  local list = {}
  for _, by_maps in next, group.filters do
    for _, view in next, by_maps do
      list[#list + 1] = view
    end
  end
  return list
end

-- Looks at the state as it was told last, and at what the application says of who sees what. Afterwards nobody may be
-- in the group any more.
function _M.look(group, changed, report)
  look(group, changed)
  tell_faults(group, report)
  for view in next, group.moving do
    move(group, view, report)
  end
  for _, view in ipairs(filtered(group)) do
    if view.uses > 0 then
      _M.ask(group, view, report)
    end
  end
end

return _M
