-- Sending: at once where the client is connected, else from a queue, in order, once it is.

local core = require "painda.core.client"
local calls = require "painda.client.calls"
local Error = require "painda.error"

local type, next, error, getmetatable, setmetatable = type, next, error, getmetatable, setmetatable
local send, queued = core.send, core.queued

local VOLATILE_ABOVE = 64 * 1024 -- bytes waiting, from which on volatile messages are dropped
local MAX_DEPTH = 64

local _M = {}

-- What is sent later is what it was when it was sent.
local function copy(value, depth)
  if type(value) ~= "table" then
    return value
  end
  if depth > MAX_DEPTH then
    error(Error.new("the payload is nested too deep, or holds itself", "ENCODE_ERROR"), 0)
  end
  local out = {}
  for key, item in next, value do
    out[key] = copy(item, depth + 1)
  end
  return setmetatable(out, getmetatable(value))
end

-- Fails the ack of a message that will not be sent.
local function fail_ack(client, id, text, code)
  if id then
    client._acks:answer(id, Error.new(text, code or "CONNECTION_ERROR"))
  end
end

local function drop_oldest(client)
  local first = client._first
  local entry = client._queue[first]
  client._queue[first] = nil
  client._first = first + 1
  client.dropped = client.dropped + 1
  fail_ack(client, entry.ack_id, "dropped: the offline queue was full, or the client was closed")
end

local function enqueue(client, mtype, payload, ns, ack_id)
  local limit = client.options.offlineQueue
  if limit == 0 then
    client.dropped = client.dropped + 1
    return nil, "not connected", "closed"
  end
  payload = copy(payload, 1)
  if _M.size(client) >= limit then
    drop_oldest(client)
  end
  client._last = client._last + 1
  client._queue[client._last] = { mtype = mtype, payload = payload, ns = ns, ack_id = ack_id }
  return true
end

local function transmit(client, mtype, payload, ns, ack_id)
  local sent, text, code = send(client._link.connection, mtype, payload, ns, ack_id)
  if sent and ack_id then
    client._asked[ack_id] = true
  end
  return sent, text, code
end

-- Answers a question that came by `link`, in the session `sid` (nil: the server recovers none): by the link that it has
-- now, or once the session is restored.
function _M.answer(client, link, sid, payload)
  local now = client._link
  if now == link and link and link.open then
    return send(link.connection, "__pp_ack", payload)
  end
  local session = client._session
  if not sid or not session or session.sid ~= sid then
    return nil, "closed", "closed"
  end
  if client._ready then
    return send(now.connection, "__pp_ack", payload)
  end
  local queued_up, text, code = enqueue(client, "__pp_ack", payload)
  if queued_up then
    client._queue[client._last].sid = sid
  end
  return queued_up, text, code
end

-- Messages that wait for a connection.
function _M.size(client)
  return client._last - client._first + 1
end

-- Sends or queues. true, or nil, a text and a code: "closed", "full" or "ENCODE_ERROR".
function _M.post(client, mtype, payload, ns, ack_id, volatile)
  if client.state == "closed" then
    return nil, "closed", "closed"
  end
  if client._ready then
    if volatile and queued(client._link.connection) > VOLATILE_ABOVE then
      client.dropped = client.dropped + 1
      return nil, "dropped", "full"
    end
    local sent, text, code = transmit(client, mtype, payload, ns, ack_id)
    if sent or code ~= "closed" then
      return sent, text, code
    end
  end
  if volatile then
    client.dropped = client.dropped + 1
    return nil, "not connected", "closed"
  end
  return enqueue(client, mtype, payload, ns, ack_id)
end

-- Asks for an ack: callback(err, response) is called once. The same answers as post.
function _M.ask(client, mtype, payload, ns, callback, timeout, volatile)
  local id
  id = client._acks:ask(function(err, response)
    client._asked[id] = nil
    calls.guarded(client, "ack", callback, err, response)
  end, timeout or client.options.ackTimeout)
  local sent, text, code = _M.post(client, mtype, payload, ns, id, volatile)
  if not sent then
    fail_ack(client, id, text, code == "ENCODE_ERROR" and code or nil)
  end
  return sent, text, code
end

-- Sends what waits, as long as there is a connection to send it on.
function _M.flush(client)
  while client._ready and _M.size(client) > 0 do
    local first = client._first
    local entry = client._queue[first]
    local stale = entry.sid and (not client._session or client._session.sid ~= entry.sid) -- nobody waits for it
    local sent, text, code = stale
    if not stale then
      sent, text, code = transmit(client, entry.mtype, entry.payload, entry.ns, entry.ack_id)
    end
    if not sent and code == "closed" then
      return
    end
    client._queue[first] = nil
    client._first = first + 1
    if not sent then
      client.dropped = client.dropped + 1
      fail_ack(client, entry.ack_id, text, code == "ENCODE_ERROR" and code or nil)
      calls.fire(client, "error", Error.new(("%s could not be sent: %s"):format(entry.mtype, text), "ENCODE_ERROR"))
    end
  end
end

-- The connection is gone: the acks of what went out on it will not come.
function _M.lost(client)
  local asked = client._asked
  client._asked = {}
  for id in next, asked do
    fail_ack(client, id, "the connection ended before the ack came")
  end
end

-- The client is closed for good.
function _M.discard(client)
  while _M.size(client) > 0 do
    drop_oldest(client)
  end
  client._acks:fail("the client is closed", "CONNECTION_ERROR")
end

return _M
