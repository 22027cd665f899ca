-- The options of painda.PPServer: what there is, what is wrong with those given, and the flat table that C takes.

local core = require "painda.core.server"
local log = require "painda.log"
local namespaces = require "painda.namespace"
local options = require "painda.options"
local presence = require "painda.presence"
local recovery = require "painda.recovery"

local type, error, ipairs, next = type, error, ipairs, next

local _M = {}

local MIB = 1024 * 1024
local OPTIONS = {
  port = { type = "integer", min = 0, max = 65535 },
  host = { type = "string" },
  tls = { type = "table" },
  mode = { values = { "chat", "media", "gaming", "voice" }, default = "chat" },
  registry = { type = "userdata", a = "a painda.PPSchemaRegistry" },
  heartbeat = { type = { "table", "boolean" } },
  heartbeatInterval = { type = "integer", min = 1, max = 86400000 },
  compression = { type = { "table", "string" } },
  rateLimit = { type = "table" },
  maxMessagesPerSecond = { type = "integer", min = 1, max = 1000000 },
  maxPayload = { type = "integer", min = 1, max = 1024 * MIB, default = MIB },
  maxDecompressedSize = { type = "integer", min = 1, max = 1024 * MIB, default = 10 * MIB },
  allowedOrigins = { type = "table" },
  maxConnectionsPerIp = { type = "integer", min = 0, max = 10000000, default = 50 },
  maxPendingPerIp = { type = "integer", min = 0, max = 10000000, default = 1024 },
  trustedProxies = { type = "table" },
  maxBackpressure = { type = "integer", min = 1024, max = 1024 * MIB, default = MIB },
  onBackpressure = { values = { "close", "drop" }, default = "close" },
  volatileAbove = { type = "integer", min = 0, max = 1024 * MIB, default = 64 * 1024 },
  handshakeTimeout = { type = "integer", min = 1, max = 3600000, default = 10000 },
  handlerTimeout = { type = "integer", min = 0, max = 86400000, default = 5000 },
  ackTimeout = { type = "integer", min = 1, max = 86400000, default = 10000 },
  maxPendingAcks = { type = "integer", min = 1, max = 1000000, default = 1024 },
  maxListeners = { type = "integer", min = 1, max = 1000000, default = 256 },
  maxRoomsPerClient = { type = "integer", min = 1, max = 1000000, default = 128 },
  maxRoomName = { type = "integer", min = 1, max = 65535, default = 255 },
  maxTypedRooms = { type = "integer", min = 0, max = 10000000, default = 10000 },
  maxTags = { type = "integer", min = 1, max = 1000000, default = 64 },
  middlewareTimeout = { type = "integer", min = 1, max = 86400000, default = 10000 },
  maxPendingMessages = { type = "integer", min = 1, max = 1000000, default = 1024 },
  maxPendingBytes = { type = "integer", min = 0, max = 1024 * MIB, default = 4 * MIB },
  presence = { type = "table" },
  recovery = { type = { "table", "boolean" } },
  recoverySecret = { type = "string" },
  logger = { type = { "table", "string" } },
}
local TLS = { cert = { type = "string", required = true }, key = { type = "string", required = true } }
local HEARTBEAT = {
  interval = { type = "integer", min = 1, max = 86400000, default = 30000 },
  timeout = { type = "integer", min = 1, max = 86400000, default = 10000 },
  onTimeout = { type = "function" },
}
local COMPRESSION = {
  algorithm = { values = { "deflate", "none" }, default = "deflate" },
  threshold = { type = "integer", min = 0, max = 1024 * MIB, default = 1024 },
  level = { type = "integer", min = 1, max = 9, default = 1 },
}
local RATE_LIMIT = {
  maxPerSecond = { type = "integer", min = 1, max = 1000000 },
  maxPerMinute = { type = "integer", min = 1, max = 60000000 },
  strategy = { values = { "fixed-window", "sliding-window" }, default = "fixed-window" },
  onLimit = { type = "function" },
  namespaceOverrides = { type = "table" },
}
local LIMITS = { maxPerSecond = RATE_LIMIT.maxPerSecond, maxPerMinute = RATE_LIMIT.maxPerMinute }
local LOGGER = { level = { values = { "debug", "info", "warn", "error", "silent" }, default = "info" } }
local MODES = { chat = 0, media = 1, gaming = 2, voice = 3 }

local function strings(what, list, level)
  for i, value in ipairs(list) do
    if type(value) ~= "string" then
      error(("PPServer option %q is a list of strings, and item %d is a %s"):format(what, i, type(value)), level + 1)
    end
  end
  return list
end

-- name → limits, as an array for C, in the order of names.
local function check_overrides(given, level)
  level = level + 1
  local checked = {}
  for name, limits in next, given or {} do
    local fault = namespaces.name_fault(name)
    if fault then
      error(('PPServer rateLimit option "namespaceOverrides" has names of namespaces as keys: %s'):format(fault), level)
    end
    local what = ("PPServer rateLimit namespaceOverrides[%q]"):format(name)
    limits = options.check(what, LIMITS, limits, level)
    checked[#checked + 1] = {
      ns = name,
      maxPerSecond = limits.maxPerSecond or 0,
      maxPerMinute = limits.maxPerMinute or 0,
    }
  end
  table.sort(checked, function(a, b)
    return a.ns < b.ns
  end)
  return checked
end

-- The options as given, checked, with their parts and defaults. Raises where one is wrong.
function _M.check(given, level)
  level = level + 1
  local checked = options.check("PPServer", OPTIONS, given, level)
  if checked.tls then
    checked.tls = options.check("PPServer tls", TLS, checked.tls, level)
  end
  local heartbeat = checked.heartbeat
  if heartbeat == nil or heartbeat == true then
    heartbeat = {}
  end
  if heartbeat then
    heartbeat = options.check("PPServer heartbeat", HEARTBEAT, heartbeat, level)
    heartbeat.interval = checked.heartbeatInterval or heartbeat.interval
  end
  checked.heartbeat = heartbeat
  local compression = checked.compression or {}
  if type(compression) == "string" then
    compression = { algorithm = compression }
  end
  checked.compression = options.check("PPServer compression", COMPRESSION, compression, level)
  checked.rateLimit = options.check("PPServer rateLimit", RATE_LIMIT, checked.rateLimit or {}, level)
  checked.rateLimit.maxPerSecond = checked.rateLimit.maxPerSecond or checked.maxMessagesPerSecond
  recovery.check(checked, level)
  checked.rateLimit.namespaceOverrides = check_overrides(checked.rateLimit.namespaceOverrides, level)
  checked.presence = options.check("PPServer presence", presence.OPTIONS, checked.presence or {}, level)
  checked.allowedOrigins = checked.allowedOrigins and strings("allowedOrigins", checked.allowedOrigins, level)
  checked.trustedProxies = checked.trustedProxies and strings("trustedProxies", checked.trustedProxies, level)
  for _, range in ipairs(checked.trustedProxies or {}) do
    if not core.range_valid(range) then
      error(
        ('PPServer option "trustedProxies" takes addresses and ranges such as 10.0.0.0/8, not %q'):format(range),
        level
      )
    end
  end
  if checked.logger then
    local logger = type(checked.logger) == "string" and { level = checked.logger } or checked.logger
    log.set_level(options.check("PPServer logger", LOGGER, logger, level).level)
  end
  return checked
end

-- The flat table that C takes.
function _M.flat(server, o)
  local heartbeat, compression, rate = o.heartbeat, o.compression, o.rateLimit
  local out = {
    object = server,
    maxPayload = o.maxPayload,
    maxBackpressure = o.maxBackpressure,
    maxDecompressedSize = o.maxDecompressedSize,
    compress = compression.algorithm == "deflate",
    compressionThreshold = compression.threshold,
    compressionLevel = compression.level,
    mode = MODES[o.mode],
    registry = o.registry,
    maxPerSecond = rate.maxPerSecond or 0,
    maxPerMinute = rate.maxPerMinute or 0,
    slidingWindow = rate.strategy == "sliding-window",
    limitOverrides = rate.namespaceOverrides,
    heartbeatInterval = heartbeat and heartbeat.interval or 0,
    heartbeatTimeout = heartbeat and heartbeat.timeout or 0,
    volatileAbove = o.volatileAbove,
    dropWhenFull = o.onBackpressure == "drop",
    maxConnectionsPerIp = o.maxConnectionsPerIp,
    allowedOrigins = o.allowedOrigins,
    trustedProxies = o.trustedProxies,
  }
  recovery.flat(o, out)
  return out
end

return _M
