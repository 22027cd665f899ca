-- The options of PPClient, checked, and what C is told of them.

local backoff = require "painda.backoff"
local options = require "painda.options"
local urls = require "painda.client.url"

local type, pairs, error, tostring, ipairs = type, pairs, error, tostring, ipairs
local concat, huge, open = table.concat, math.huge, io.open

local _M = {}

local MIB = 1024 * 1024
local DAY = 24 * 3600 * 1000
local OPTIONS = {
  url = { type = "string", required = true },
  reconnect = { type = "boolean", default = true },
  reconnectDelay = { type = "number", min = 0, max = DAY, default = 1000 },
  reconnectDelayMax = { type = "number", min = 0, max = DAY, default = 30000 },
  reconnectAttempts = { type = "number", min = 0, max = huge, default = huge },
  backoff = { type = { "string", "function" }, default = "exponential" },
  jitter = { type = "number", min = 0, max = 1, default = 0.2 },
  getToken = { type = "function" },
  ackTimeout = { type = "number", min = 1, max = DAY, default = 10000 },
  maxPendingAcks = { type = "integer", min = 1, max = 1000000, default = 1024 },
  registry = { type = "userdata", a = "a painda.PPSchemaRegistry" },
  mode = { values = { "chat", "media", "gaming", "voice" }, default = "chat" },
  json = { type = "boolean", default = false },
  stateFrames = { type = "boolean", default = true },
  caFile = { type = "string" },
  tls = { type = "table" },
  headers = { type = "table" },
  offlineQueue = { type = "integer", min = 0, max = 1000000, default = 256 },
  connectTimeout = { type = "number", min = 1, max = DAY, default = 20000 },
  heartbeat = { type = { "table", "boolean" } },
  heartbeatInterval = { type = "number", min = 1, max = DAY },
  compression = { type = { "table", "string" } },
  maxPayload = { type = "integer", min = 1, max = 1024 * MIB, default = 10 * MIB },
  maxDecompressedSize = { type = "integer", min = 1, max = 1024 * MIB, default = 10 * MIB },
  maxBackpressure = { type = "integer", min = 1024, max = 1024 * MIB, default = 16 * MIB },
}
local TLS = { ca = { type = "string" }, insecure = { type = "boolean", default = false } }
local HEARTBEAT = {
  interval = { type = "number", min = 1, max = DAY, default = 30000 },
  timeout = { type = "number", min = 1, max = DAY, default = 10000 },
}
local COMPRESSION = {
  algorithm = { values = { "deflate", "none" }, default = "deflate" },
  threshold = { type = "integer", min = 0, max = 1024 * MIB, default = 1024 },
}
local MODES = { chat = 0, media = 1, gaming = 2, voice = 3 }

-- The handshake's own.
local RESERVED = {
  host = true,
  upgrade = true,
  connection = true,
  ["content-length"] = true,
  ["transfer-encoding"] = true,
}

-- { name = value } → header lines.
local function header_lines(headers, level)
  local lines = {}
  for name, value in pairs(headers) do
    local wrong
    if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" then
      wrong = ("PPClient option \"headers\": %q is not the name of a header"):format(tostring(name))
    elseif RESERVED[name:lower()] or name:lower():find "^sec%-websocket%-" then
      wrong = ("PPClient option \"headers\": %s belongs to the handshake"):format(name)
    elseif type(value) ~= "string" or value:find "[%z\1-\8\10-\31\127]" then
      wrong = ("PPClient option \"headers\": the value of %s must be a string of one line"):format(name)
    end
    if wrong then
      error(wrong, level + 1)
    end
    lines[#lines + 1] = name .. ": " .. value .. "\r\n"
  end
  return concat(lines)
end

local function check_backoff(strategy, level)
  if type(strategy) == "function" then
    return
  end
  for _, name in ipairs(backoff.strategies) do
    if name == strategy then
      return
    end
  end
  local hint = options.hint(strategy, backoff.strategies)
  local text = 'PPClient option "backoff" must be %s or a function, not %q%s'
  error(text:format(concat(backoff.strategies, ", "), strategy, hint), level + 1)
end

-- A file that can't be read is a mistake to be told at once, not at each attempt.
local function check_ca(path, level)
  if not path then
    return
  end
  local file, err = open(path, "rb")
  if not file then
    error(("PPClient: the CA file can't be read: %s"):format(err), level + 1)
  end
  file:close()
end

-- Checks the options as given, and their parts. `level` is that of the constructor's caller.
function _M.check(given, level)
  level = level + 1
  local checked = options.check("PPClient", OPTIONS, given, level)
  local address, wrong = urls.parse(checked.url)
  if not address then
    error(("PPClient option \"url\" %s"):format(wrong), level)
  end
  checked.address = address
  check_backoff(checked.backoff, level)
  checked.tls = options.check("PPClient tls", TLS, checked.tls or {}, level)
  checked.caFile = checked.caFile or checked.tls.ca
  check_ca(checked.caFile, level)
  local heartbeat = checked.heartbeat
  if heartbeat == nil or heartbeat == true then
    heartbeat = {}
  end
  checked.heartbeat = heartbeat and options.check("PPClient heartbeat", HEARTBEAT, heartbeat, level)
  if heartbeat and checked.heartbeatInterval then
    checked.heartbeat.interval = checked.heartbeatInterval
  end
  local compression = checked.compression or {}
  if type(compression) == "string" then
    compression = { algorithm = compression }
  end
  checked.compression = options.check("PPClient compression", COMPRESSION, compression, level)
  checked.headers = checked.headers and header_lines(checked.headers, level)
  return checked
end

-- Path and query of an attempt. `session` is what is to be resumed, or nil.
local function target(checked, session, offset)
  local query = { checked.address.query }
  if not checked.json then
    query[#query + 1] = "pp_caps=batch" .. (checked.stateFrames and ",state" or "")
  end
  if session then
    query[#query + 1] = "pp_sid=" .. urls.escape(session.sid)
    query[#query + 1] = ("pp_offset=%.0f"):format(offset)
    query[#query + 1] = "pp_rtoken=" .. urls.escape(session.rtoken)
  end
  return checked.address.path .. (#query > 0 and "?" .. concat(query, "&") or "")
end

-- The flat table that C takes.
function _M.flat(checked, session, offset)
  local address, heartbeat, compression = checked.address, checked.heartbeat, checked.compression
  return {
    host = address.host,
    port = address.port,
    unixPath = address.unixPath,
    secure = address.secure,
    path = target(checked, session, offset),
    headers = checked.headers,
    insecure = checked.tls.insecure,
    caFile = checked.caFile,
    connectTimeout = checked.connectTimeout,
    pingInterval = heartbeat and heartbeat.interval or 0,
    pingTimeout = heartbeat and heartbeat.timeout or 0,
    maxPayload = checked.maxPayload,
    maxDecompressedSize = checked.maxDecompressedSize,
    maxQueue = checked.maxBackpressure,
    threshold = compression.algorithm == "deflate" and compression.threshold or nil,
    mode = MODES[checked.mode],
    json = checked.json,
    registry = checked.registry,
  }
end

return _M
