-- The ticks of a typed room: the application's tick handlers, then one delta where the state changed, then the whole
-- state for those members that are to be told it. A room that has nothing of these has no timer.
--
-- A room ticks at the times phase + n × tickRate of the loop's clock, so its rate does not drift, and ticks that were
-- missed are left out. Each room has another phase, so that many rooms don't tick in the same millisecond.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local faults = require "painda.faults"
local hooks = require "painda.hooks"
local behind = require "painda.typed_room.behind"
local varint = require "painda.typed_room.varint"
local views = require "painda.typed_room.views"

local floor, max, type, xpcall, ipairs = math.floor, math.max, type, xpcall, ipairs
local now, spawn, traceback = runtime.now, runtime.spawn, debug.traceback
local publish_room, room_forms = core.publish_room, core.room_forms

local GOLDEN = 0.6180339887498949 -- multiples of it are spread evenly, however many there are

-- As in runtime/wire/frame.h.
local SCHEMA_FRAME, STATE_FRAME, DELTA_FRAME = 0xFF00, 0xFF01, 0xFF02

local _M = {}

-- --- when ---

local function needs_tick(self)
  return self._dirty and self._seats > 0 or self._lagging or self._events.tick ~= nil
end

local on_timer

-- Sees to it that the room ticks, if it has to.
local function arm(self)
  if self._armed or not self._served or not needs_tick(self) then
    return
  end
  local rate, time = self._options.tickRate, now()
  local phase = self._number * GOLDEN % 1 * rate
  self._slot = max(floor((time - phase) / rate), self._slot) + 1
  self._due = phase + self._slot * rate
  self._timer = self._timer or runtime.timer(function()
    on_timer(self)
  end)
  self._timer:start(max(0, self._due - time))
  self._armed = true
end
_M.arm = arm

function _M.disarm(self)
  if self._armed then
    self._timer:stop()
    self._armed = false
  end
end

-- The tick rate is another one.
function _M.restart(self)
  self._slot = 0
  _M.disarm(self)
  arm(self)
end

-- --- what goes wrong ---

-- Tells the log, the plugins and the server's error handlers.
local function report(self, trace, err)
  local server = self.server
  server._room_errors = server._room_errors + 1
  self._stats.errors = self._stats.errors + 1
  faults.report(trace, err)
  if server._registered.hooks then
    spawn(hooks.run, server, "onError", err)
  end
  spawn(emitter.run_each, server._registered.events, "error", err)
end
_M.report = report

-- A state that can't be sent: told once, until it can be again.
local function complain(self, wrong)
  if self._complaint == wrong then
    return
  end
  self._complaint = wrong
  local text = ("room %q: %s; its members keep the last good state"):format(self.id, wrong)
  report(self, text, Error.new(text, "ROOM_ERROR"))
end

-- --- telling the members ---

-- Tells clients that take frames what the room's state is made of. To be sent once on a connection, before all else.
function _M.greet(self, refs)
  local framed = {}
  for _, ref in ipairs(self._told.frames and refs or {}) do
    framed[#framed + 1] = core.takes_state(ref) and ref or nil
  end
  if framed[1] then
    local schema = self._told.schema.bytes
    self._greeting = self._greeting
      or core.frame_parcel(self.server._core, SCHEMA_FRAME, self._number_bytes .. varint(#self.id) .. self.id .. schema)
    self._greeting:send(framed)
  end
end

-- The refs that take JSON, and those that take frames; either nil where there are none.
local function by_form(self, refs)
  if not self._told.frames then
    return refs
  end
  local json, framed = {}, {}
  for _, ref in ipairs(refs) do
    local list = core.takes_state(ref) and framed or json
    list[#list + 1] = ref
  end
  return json[1] and json, framed[1] and framed
end

-- Sends the whole state, as it was told last, to the clients of these refs. Each of the messages is made once for each
-- version, however many come one after the other.
function _M.send_whole(self, refs)
  local json, framed = by_form(self, refs)
  if json then
    if not self._whole then
      local text = '{"room":%s,"state":%s,"full":true,"version":%d}'
      text = text:format(self._name, self._told:json(), self._version)
      self._whole = core.parcel(self.server._core, "__pp_room_state", text)
    end
    self._whole:send(json)
  end
  if framed then
    if not self._snapshot then
      local bytes = self._number_bytes .. self._told:snapshot()
      self._snapshot = core.frame_parcel(self.server._core, STATE_FRAME, bytes)
    end
    self._snapshot:send(framed)
  end
end

local function forget(self, name)
  if self[name] then
    self[name]:clear()
    self[name] = false
  end
end

-- The messages with the whole state are old, or not needed any more.
function _M.forget_whole(self)
  forget(self, "_whole")
  forget(self, "_snapshot")
end

-- The same, of the message with the schema too.
function _M.forget_messages(self)
  _M.forget_whole(self)
  forget(self, "_greeting")
end

-- Takes the state as the one to be told from here on. Where it changed: true and the delta as JSON and as what a frame
-- holds, each where it is asked for.
local function advance(self, wants_json, wants_frames)
  self._dirty = false
  local options = self._options
  local most = options.maxStateSize or floor(self.server.options.maxBackpressure / 2)
  local changed, json, frame = self._told:take(self._state, most, options.diffAlgorithm, wants_json, wants_frames)
  if changed == nil then
    complain(self, json)
    return false
  end
  self._complaint = nil
  if not changed then
    return false
  end
  self._version = self._told:version()
  _M.forget_whole(self)
  return true, json, frame
end

-- Brings what is told up to date for a room that nobody is in yet: there is nobody to tell the difference.
function _M.refresh(self)
  if self._dirty then
    advance(self, false, false)
  end
end

-- Bytes waiting for a member from which on it is behind.
local function slow_above(self)
  return self._options.slowAbove or self.server.options.volatileAbove
end

-- Sends the delta, in its two forms, to the members that are not behind.
local function publish(self, json, frame, before)
  local server, above = self.server, slow_above(self)
  local text = json and ('{"room":%s,"delta":%s,"version":%d}'):format(self._name, json, self._version)
  frame = frame and self._number_bytes .. frame
  local _, fell_behind =
    publish_room(server._core, self._key, self._behind, above, "__pp_room_delta", text, DELTA_FRAME, frame)
  if fell_behind > 0 then
    behind.fell(self, fell_behind, before)
  end
end

local function synchronise(self)
  if not self._dirty or self._seats == 0 then
    return
  end
  local wants_json, wants_frames, before, above = true, false, self._version, slow_above(self)
  if self._told.frames or self._views then
    local slow
    wants_json, wants_frames, slow = room_forms(self.server._core, self._key, self._behind, above)
    if slow or views.are_slow(self, above) then
      self._told:remember()
    end
  end
  if not self._told.frames then
    wants_json, wants_frames = wants_json or wants_frames, false
  end
  local changed, json, frame = advance(self, wants_json, wants_frames)
  if changed then
    self.server._room_deltas = self.server._room_deltas + 1
    self._stats.deltas = self._stats.deltas + 1
  end
  if json or frame then
    publish(self, json, frame, before)
  end
  if self._views and not self._complaint then
    local fallen = views.tick(self, changed, above, report)
    if fallen[1] then
      behind.viewers_fell(self, fallen, before, changed)
    end
  end
end

-- --- the tick ---

local function on_raise(raised)
  return { raised = raised, trace = traceback(Error.report(raised), 2) }
end

-- A handler that returns false has changed nothing.
local function run_handler(self, fn, elapsed)
  self._handlers = self._handlers + 1
  local ok, result = xpcall(fn, on_raise, self._state, elapsed, self)
  self._handlers = self._handlers - 1
  if not ok then
    local trace = ("room %q: tick handler failed: %s"):format(self.id, result.trace:gsub("\t", ""))
    report(self, trace, Error.from(result.raised, "HANDLER_ERROR"))
  end
  if not ok or result ~= false then
    self._dirty = true
    arm(self) -- one that has waited ends between two ticks
  end
end

-- Calls the tick handlers, unless one of the tick before still waits for something.
local function run_handlers(self, time)
  local events = self._events
  if events.tick == nil or self._handlers > 0 then
    return
  end
  local elapsed = time - (self._ticked or time - self._options.tickRate)
  self._ticked = time
  if type(events.tick) == "function" then
    return spawn(run_handler, self, events.tick, elapsed)
  end
  local list = {}
  for i = 1, emitter.collect(events, "tick", list, 0) do
    spawn(run_handler, self, list[i], elapsed)
  end
end

function on_timer(self)
  local time = now()
  run_handlers(self, time)
  self._armed = false
  if self.disposed then
    return
  end
  synchronise(self)
  if self._lagging then
    behind.catch_up(self, time, _M.send_whole)
  end
  arm(self)
end
_M.tick = on_timer

return _M
