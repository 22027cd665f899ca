-- Receiving: the protocol's own messages, and the application's to its listeners.

local runtime = require "painda.core.runtime"
local ack = require "painda.ack"
local calls = require "painda.client.calls"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local outbox = require "painda.client.outbox"
local presence = require "painda.client.presence"
local rooms = require "painda.client.rooms"
local room_frames = require "painda.client.room_frames"

local type, tostring, error = type, tostring, error
local collect, spawn, guarded = emitter.collect, runtime.spawn, calls.guarded
local EVENTS = calls.EVENTS

local _M = {}

-- --- acks ---

local function no_ack() end

-- What a handler is given to answer with. Only the first answer counts; in another session it would mean nothing.
local function ack_for(client, id)
  if not id then
    return no_ack
  end
  local link, sid, answered = client._link, client._session and client._session.sid, false
  return function(err, response)
    if answered then
      return
    end
    answered = true
    local ok, text, code = outbox.answer(client, link, sid, ack.payload(id, err, response))
    if not ok and code == "ENCODE_ERROR" then
      outbox.answer(client, link, sid, ack.payload(id, Error.new(text, code)))
      error(Error.new(text, code), 2)
    end
  end
end

-- --- listeners ---

local function call(client, mtype, answer, fn, ...)
  local ok, err = guarded(client, mtype, fn, ...)
  if not ok then
    answer(err)
  end
end

-- onAny, then "message", then the type's own.
local function dispatch(link, mtype, payload, ack_id, ns)
  local client = link.client
  local scope = ns and client._namespaces[ns] or client
  local list = {}
  local any = collect(scope._any, "*", list, 0)
  local whole = collect(scope._events, "message", list, any)
  local own = EVENTS[mtype] and whole or collect(scope._on, mtype, list, whole)
  if own == 0 then
    return
  end
  local answer = ack_for(client, ack_id)
  local message = { type = mtype, payload = payload, __ns = ns, __ackId = ack_id }
  for i = 1, own do
    if i <= any then
      spawn(call, client, mtype, answer, list[i], mtype, payload, answer)
    elseif i <= whole then
      spawn(call, client, mtype, answer, list[i], message, answer)
    else
      spawn(call, client, mtype, answer, list[i], payload, answer, message)
    end
  end
end

-- --- the protocol's own messages ---

local controls = {}

controls.__pp_room_state = rooms.on_state
controls.__pp_room_delta = rooms.on_delta
controls.__pp_presence = presence.on_list
controls.__pp_presence_diff = presence.on_changes

function controls.__pp_ack(client, payload)
  client._acks:on_ack(payload)
end

function controls.__pp_error(client, payload)
  calls.fire(client, "serverError", Error.from(payload))
end

-- The session that a later connection can go on with. Its offset is the server's count of what this client was sent.
-- Another than was asked for: that one is lost, and known to be from here on. The server's own word for it, which
-- follows, may not arrive.
function controls.__pp_session(client, payload)
  if type(payload.sid) ~= "string" or type(payload.rtoken) ~= "string" then
    return
  end
  local before = client._session
  client.id = payload.sid
  client.recoverySessionId = payload.sid
  client._session = { sid = payload.sid, rtoken = payload.rtoken, epoch = payload.epoch }
  client._offset = type(payload.offset) == "number" and payload.offset or 0
  if before and before.sid ~= payload.sid then
    calls.fire(client, "recovery", { sid = payload.sid, offset = client._offset, recovered = false, missedCount = 0 })
  end
  client._line.heard(client)
end

function controls.__pp_recovery(client, payload)
  if payload.recovered then
    calls.fire(client, "recovery", payload)
  end
  client._line.ready(client)
end

-- --- what C calls ---

function _M.on_message(link, mtype, payload, ack_id, ns)
  local client = link.client
  if not client then -- closed by this side: what still comes is not wanted
    return
  end
  if mtype:sub(1, 5) == "__pp_" then
    local control = controls[mtype]
    if control and type(payload) == "table" then
      control(client, payload)
    end
    return
  end
  client._offset = client._offset + 1
  if not client._ready then -- a server that recovers sessions would have said so first
    client._line.ready(client)
  end
  if client._greeting then
    client._line.heard(client)
  end
  return dispatch(link, mtype, payload, ack_id, ns ~= "/" and ns or nil)
end

-- A frame of the protocol's that is no envelope.
function _M.on_frame(link, type_id, bytes)
  if link.client then
    room_frames.on_frame(link.client, type_id, bytes)
  end
end

-- All that the server had said when it was asked has come.
function _M.on_pong(link)
  if link.client then
    link.client._line.heard(link.client)
  end
end

-- A frame of the server could not be read.
function _M.on_fault(link, code, text)
  local client = link.client
  if not client then
    return
  end
  if code == "SCHEMA_ERROR" then -- it was a message all the same, and the server has counted it
    client._offset = client._offset + 1
  end
  calls.fire(client, "error", Error.new(tostring(text), code))
end

return _M
