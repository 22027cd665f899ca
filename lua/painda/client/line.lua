-- The life of a client's connection.
--
--   connecting ──▶ connected ──▶ reconnecting ──▶ connected …     and from everywhere ──▶ closed
--
-- Each attempt has a link of its own, which C calls back with. A link whose client is nil was given up: what still
-- comes of it changes nothing.

local core = require "painda.core.client"
local runtime = require "painda.core.runtime"
local backoff = require "painda.backoff"
local calls = require "painda.client.calls"
local inbox = require "painda.client.inbox"
local client_options = require "painda.client.options"
local outbox = require "painda.client.outbox"
local Error = require "painda.error"
local reload = require "painda.reload"
local task = require "painda.task"

local type, pcall, pairs = type, pcall, pairs
local floor = math.floor
local fire = calls.fire

local RECOVERY_PATIENCE = 5000 -- ms that a server has to say whether it knows the session

local _M = {}

-- Codes after which trying again would only be refused again, or fight another connection for the session.
local FINAL = { [1000] = true, [4001] = true, [4002] = true, [4003] = true, [4009] = true, [4010] = true }

local REASONS = { [1001] = "server shutdown", [4008] = "too slow", [4010] = "Invalid Protocol Version" }

local function reason_of(code, text, by_peer)
  if REASONS[code] then
    return REASONS[code]
  end
  if text == "Ping timeout" then
    return text
  end
  return by_peer and "forced server disconnect" or "transport close"
end

-- Chance of our own: math.random begins the same in every process, so clients would come back in step, and its seed is
-- the application's. (The "minimal standard" generator.)
local seed = (function()
  local file = io.open("/dev/urandom", "rb")
  local a, b, c = (file and file:read(3) or "abc"):byte(1, 3)
  if file then
    file:close()
  end
  return floor(runtime.now()) % 100 + a * 65536 + b * 256 + c + 1
end)()

local function random()
  seed = seed * 16807 % 2147483647
  return seed / 2147483647
end

local function set_state(client, state)
  local old = client.state
  if old ~= state then
    client.state = state
    fire(client, "stateChange", state, old)
  end
end

-- --- the end ---

-- No connection, and none to come.
local function finish(client)
  client._round = client._round + 1
  client._timer:stop()
  client._timer = nil -- it holds the client
  client._ready = false
  client._greeting = false
  reload.forget(client)
  set_state(client, "closed")
  outbox.lost(client)
  outbox.discard(client)
end

local attempt

-- After a connection that ended, or an attempt that failed.
local function again(client, code)
  local options = client.options
  if not options.reconnect or FINAL[code] then
    return finish(client)
  end
  if client._attempts >= options.reconnectAttempts then
    local attempts = client._attempts
    finish(client)
    return fire(client, "reconnectFailed", attempts)
  end
  client._attempts = client._attempts + 1
  local delay = backoff.delay(client._backoff, client._attempts, random)
  set_state(client, "reconnecting")
  client._timer:start(delay)
  fire(client, "reconnecting", client._attempts, floor(delay + 0.5))
end

local function failed(client, err)
  fire(client, "error", err)
  if client.state ~= "closed" then -- by a listener
    again(client)
  end
end

local function on_closed(link, code, text, by_peer)
  local client = link.client
  link.client = nil
  link.ended = true
  if link.waiter then
    link.waiter:wake(true)
  end
  if not client then
    return
  end
  client._link = nil
  client._ready = false
  client._greeting = false
  if not link.open then
    return failed(client, Error.new(("%s: %s"):format(client.url, text), "CONNECTION_ERROR"))
  end
  client._timer:stop()
  outbox.lost(client)
  local round = client._round
  fire(client, "disconnect", reason_of(code, text, by_peer), code, text)
  fire(client, "close", code, text)
  if client._round == round then -- else a listener closed it, or connects again
    again(client, code)
  end
end

-- --- the beginning ---

-- The connection can be used: what waited goes out first. Returns how many attempts it took.
local function restore(client)
  local attempts = client._attempts
  client._ready = true
  client._attempts = 0
  client._timer:stop()
  outbox.flush(client)
  return attempts
end

local function announce(client, attempts)
  local again_connected = client._was_connected
  client._was_connected = true
  fire(client, "connect")
  if again_connected then
    fire(client, "reconnect", attempts)
  end
end

-- On the first connection `connect` waits until the server has had its say: one that recovers sessions begins with it,
-- so that the client has its id.
function _M.heard(client)
  local attempts = client._greeting
  if attempts then
    client._greeting = false
    client._timer:stop()
    announce(client, attempts)
  end
end

-- The server has said what it knows of the session, or will not.
function _M.ready(client)
  if not client._ready and client._link and client._link.open then
    announce(client, restore(client))
  end
end

local function on_open(link)
  local client = link.client
  if not client then
    return
  end
  link.open = true
  if link.token then
    core.send(link.connection, "__pp_auth", { token = link.token })
  end
  set_state(client, "connected")
  if client._link ~= link then -- a listener closed it
    return
  end
  if client._session then
    client._timer:start(RECOVERY_PATIENCE)
    return fire(client, "open")
  end
  local attempts = restore(client)
  fire(client, "open")
  if client._link ~= link then -- a listener closed it
    return
  end
  if client._was_connected then
    return announce(client, attempts)
  end
  if not core.ping(link.connection) then
    return announce(client, attempts)
  end
  client._greeting = attempts
  client._timer:start(RECOVERY_PATIENCE)
end

local handlers = {
  open = on_open,
  message = inbox.on_message,
  frame = inbox.on_frame,
  fault = inbox.on_fault,
  pong = inbox.on_pong,
  closed = on_closed,
}

-- The token for this attempt, or nil; then perhaps what went wrong.
local function get_token(client)
  local fn = client.options.getToken
  if not fn then
    return
  end
  local ok, token, err = pcall(fn, client)
  if not ok then
    return nil, Error.from(token, "AUTH_ERROR")
  end
  if token == nil and err ~= nil then
    return nil, Error.from(err, "AUTH_ERROR")
  end
  if token ~= nil and type(token) ~= "string" then
    return nil, Error.new(("getToken must return a string, not a %s"):format(type(token)), "AUTH_ERROR")
  end
  return token
end

local function dial(client, token)
  local link = { client = client, token = token }
  local with = { object = link }
  for name, fn in pairs(handlers) do
    with[name] = fn
  end
  local connection, err = core.connect(client_options.flat(client.options, client._session, client._offset), with)
  if not connection then
    return failed(client, Error.new(("%s: %s"):format(client.url, err), "CONNECTION_ERROR"))
  end
  link.connection = connection
  client._link = link
end

function attempt(client)
  local round = client._round + 1
  client._round = round
  local token, err = get_token(client)
  if client._round ~= round then -- closed while getToken waited
    return
  end
  if err then
    return failed(client, err)
  end
  return dial(client, token)
end

-- The client's timer: for the next attempt, or for a server that does not answer whether it knows the session.
function _M.new_timer(client)
  return runtime.timer(function()
    if client.state == "reconnecting" then
      return attempt(client)
    end
    if client._greeting then
      return _M.heard(client)
    end
    client._session = nil
    _M.ready(client)
  end)
end

-- Begins to connect. No event comes before the loop's next turn.
function _M.start(client)
  runtime.spawn(attempt, client)
end

-- Ends the client. What was sent on an open connection still goes out, and the closing handshake behind it.
function _M.close(client, code, reason)
  if client.state == "closed" then
    return
  end
  local link = client._link
  client._link = nil
  client._session = nil
  local was_open = link and link.open
  if link then
    link.client = nil
    core.close(link.connection, code, reason)
  end
  finish(client)
  if was_open then
    fire(client, "disconnect", "client disconnect", code, reason)
    fire(client, "close", code, reason)
  end
end

-- The same, and waits until it is done, at most `timeout` ms.
function _M.close_and_wait(client, code, reason, timeout)
  local link = client._link
  _M.close(client, code, reason)
  if link and not link.ended then
    link.waiter = task.waiter()
    link.waiter:wait(timeout)
  end
end

return _M
