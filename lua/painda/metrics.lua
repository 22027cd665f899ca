-- painda.ppMetricsPlugin: what a server has done, as numbers and as Prometheus' text.
--
--   server:register(painda.ppMetricsPlugin, { labels = { node = "a" } })
--   local metrics = server:getPlugin "pp-metrics"
--   metrics:snapshot().messagesReceived      metrics:prometheus()
--
-- The counters are C's and are there anyway. What the plugin adds is measured while some generation has it: how long
-- handlers and the turns of the loop take.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local api = require "painda.api"
local faults = require "painda.faults"
local hooks = require "painda.hooks"
local options = require "painda.options"
local reload = require "painda.reload"

local setmetatable, type, error, pairs, ipairs, tostring = setmetatable, type, error, pairs, ipairs, tostring
local concat, sort = table.concat, table.sort

local _M = {}

local OPTIONS = {
  prefix = { type = "string", default = "painda" },
  labels = { type = "table" },
  handlerTime = { type = "boolean", default = true },
  loopDelay = { type = "boolean", default = true },
}

-- --- numbers ---

local Metrics = {}
Metrics.__index = Metrics
Metrics.__name = "painda.Metrics"

local function all_stats(self)
  local stats = self._server:getStats()
  stats.disconnections = stats.connections - stats.clients
  stats.errors = faults.errors + hooks.errors(self._server)
  return stats
end

-- The counters since the server began.
function Metrics:snapshot()
  local stats = all_stats(self)
  return {
    messagesReceived = stats.messagesReceived,
    messagesSent = stats.messagesSent,
    bytesReceived = stats.bytesReceived,
    bytesSent = stats.bytesSent,
    connectionsTotal = stats.connections,
    disconnectionsTotal = stats.disconnections,
    roomJoinsTotal = stats.roomJoins,
    roomLeavesTotal = stats.roomLeaves,
    errorsTotal = stats.errors,
  }
end

local function histogram(counts, sum)
  local count = 0
  for _, n in ipairs(counts) do
    count = count + n
  end
  return { bounds = core.histogram_bounds(), counts = counts, count = count, sum = sum }
end

-- { handlerTime, loopDelay }, each { bounds, counts, count, sum } in seconds: counts[i] is of what took at most
-- bounds[i] and more than the bound before; one more count is of what took longer.
function Metrics:histograms()
  return {
    handlerTime = histogram(core.handler_time(self._server._core)),
    loopDelay = histogram(core.loop_delay()),
  }
end

-- --- text ---

-- Name (behind the prefix), type, the field of the statistics, help.
local NUMBERS = {
  { "clients", "gauge", "clients", "Clients that are connected." },
  { "rooms", "gauge", "rooms", "Rooms that somebody is in." },
  { "presence_tracked", "gauge", "presenceTracked", "Clients that presence tracks." },
  { "connections_total", "counter", "connections", "Connections that became clients." },
  { "disconnections_total", "counter", "disconnections", "Clients that have gone." },
  { "connections_refused_total", "counter", "refused", "Connections that were refused." },
  { "messages_received_total", "counter", "messagesReceived", "Messages from clients." },
  { "messages_sent_total", "counter", "messagesSent", "Messages to clients." },
  { "received_bytes_total", "counter", "bytesReceived", "Bytes read from clients." },
  { "sent_bytes_total", "counter", "bytesSent", "Bytes written to clients." },
  { "messages_malformed_total", "counter", "malformed", "Frames that could not be read." },
  { "messages_rate_limited_total", "counter", "rateLimited", "Messages over the rate limit." },
  { "messages_dropped_total", "counter", "dropped", "Messages not sent: the client was behind." },
  { "messages_forbidden_total", "counter", "forbidden", "Control messages that a client may not send." },
  { "room_joins_total", "counter", "roomJoins", "Rooms joined by clients." },
  { "room_leaves_total", "counter", "roomLeaves", "Rooms left by clients." },
  { "typed_rooms", "gauge", "typedRooms", "Typed rooms." },
  { "typed_room_deltas_total", "counter", "roomDeltas", "Deltas of typed rooms, each once for all its members." },
  { "typed_room_members_fell_behind_total", "counter", "roomMembersFellBehind", "Members left out: they were behind." },
  { "typed_room_catch_ups_total", "counter", "roomCatchUps", "States sent to members that were behind or asked." },
  { "typed_room_catch_up_deltas_total", "counter", "roomCatchUpDeltas", "Deltas over several changes, sent to them." },
  { "typed_room_resyncs_total", "counter", "roomResyncs", "States of typed rooms that members asked for." },
  { "typed_room_desyncs_total", "counter", "roomDesyncs", "Members whose state was not the room's: a hash differed." },
  { "typed_room_errors_total", "counter", "roomErrors", "States that could not be sent, and handlers that raised." },
  { "sessions_detached", "gauge", "sessionsDetached", "Sessions that wait for their clients to come back." },
  { "sessions_recovered_total", "counter", "sessionsRecovered", "Sessions that their clients came back to." },
  { "sessions_not_recovered_total", "counter", "recoveryFailed", "Sessions asked for that were not to be had." },
  { "sessions_expired_total", "counter", "sessionsExpired", "Sessions that nobody came back to in time." },
  { "sessions_evicted_total", "counter", "sessionsEvicted", "Sessions given up for the memory they held." },
  { "recovery_bytes", "gauge", "recoveryBytes", "Memory that sessions hold for what was not seen to arrive." },
  { "errors_total", "counter", "errors", "Errors raised by handlers, middleware and hooks." },
  { "tasks_waiting", "gauge", "tasksWaiting", "Tasks that wait for something." },
  { "lua_memory_bytes", "gauge", "luaMemory", "Memory that Lua holds." },
  { "generation", "gauge", "generation", "The generation of the application that serves." },
  { "generations_alive", "gauge", "generationsAlive", "Generations that are held by their code or a waiting task." },
  { "reloads_total", "counter", "reloads", "Reloads that put new code into force." },
  { "reloads_failed_total", "counter", "reloadsFailed", "Reloads and rollbacks that failed: the code went on." },
  { "rollbacks_total", "counter", "rollbacks", "Rollbacks to the version before." },
  { "uptime_seconds", "gauge", "uptime", "Time since the server began." },
}
local HISTOGRAMS = {
  { "handler_duration_seconds", "handlerTime", "Time that handlers of messages keep the loop." },
  { "event_loop_delay_seconds", "loopDelay", "Length of the loop's turns, for which what is ready may have to wait." },
}

local function escape_help(text)
  return (text:gsub("[\\\n]", { ["\\"] = "\\\\", ["\n"] = "\\n" }))
end

local function escape_label(text)
  return (text:gsub('[\\\n"]', { ["\\"] = "\\\\", ["\n"] = "\\n", ['"'] = '\\"' }))
end

local function number(value)
  if value % 1 == 0 and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  end
  return ("%.12g"):format(value)
end

-- The labels of a sample, `more` (text such as le="1") behind the plugin's own.
local function braces(self, more)
  local inside = self._labels .. (self._labels ~= "" and more ~= "" and "," or "") .. more
  return inside ~= "" and "{" .. inside .. "}" or ""
end

local function put(out, text, ...)
  out[#out + 1] = text:format(...)
end

local function put_head(out, name, kind, help)
  put(out, "# HELP %s %s\n# TYPE %s %s\n", name, escape_help(help), name, kind)
end

local function put_histogram(self, out, name, found)
  local count = 0
  for i, bound in ipairs(found.bounds) do
    count = count + found.counts[i]
    put(out, "%s_bucket%s %s\n", name, braces(self, ('le="%s"'):format(number(bound))), number(count))
  end
  put(out, "%s_bucket%s %s\n", name, braces(self, 'le="+Inf"'), number(found.count))
  put(out, "%s_sum%s %s\n", name, braces(self, ""), number(found.sum))
  put(out, "%s_count%s %s\n", name, braces(self, ""), number(found.count))
end

-- Everything in Prometheus' text format, version 0.0.4.
function Metrics:prometheus()
  local stats, out, prefix = all_stats(self), {}, self._prefix
  for _, one in ipairs(NUMBERS) do
    local name = prefix .. "_" .. one[1]
    put_head(out, name, one[2], one[4])
    put(out, "%s%s %s\n", name, braces(self, ""), number(stats[one[3]]))
  end
  local histograms = self:histograms()
  for _, one in ipairs(HISTOGRAMS) do
    if self._measures[one[2]] then
      local name = prefix .. "_" .. one[1]
      put_head(out, name, "histogram", one[3])
      put_histogram(self, out, name, histograms[one[2]])
    end
  end
  put_head(out, prefix .. "_build_info", "gauge", "The version that runs, as a label.")
  put(out, "%s_build_info%s 1\n", prefix, braces(self, ('version="%s"'):format(escape_label(runtime.version))))
  return concat(out)
end

api.class("metrics", Metrics, Metrics)

-- --- the plugin ---

local RESERVED = { le = true, version = true } -- samples have these of their own

local function labels_text(labels)
  local names, out = {}, {}
  for name in pairs(labels) do
    if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" or name:find "^__" or RESERVED[name] then
      error(("ppMetricsPlugin: %q can't be the name of a label"):format(tostring(name)), 0)
    end
    names[#names + 1] = name
  end
  sort(names)
  for i, name in ipairs(names) do
    local value = labels[name]
    if type(value) ~= "string" and type(value) ~= "number" then
      error(("ppMetricsPlugin: the label %s is a string or a number, not a %s"):format(name, type(value)), 0)
    end
    out[i] = ('%s="%s"'):format(name, escape_label(tostring(value)))
  end
  return concat(out, ",")
end

-- How many plugins, of all generations and servers, want something measured: by server, and the loop's turns.
local handlers_wanted = setmetatable({}, { __mode = "k" })
local turns_wanted = 0

local function want(server, checked, by)
  if checked.handlerTime then
    handlers_wanted[server] = (handlers_wanted[server] or 0) + by
    core.measure(server._core, handlers_wanted[server] > 0)
  end
  if checked.loopDelay then
    local before = turns_wanted
    turns_wanted = before + by
    if (before > 0) ~= (turns_wanted > 0) then
      core.measure_loop(turns_wanted > 0)
    end
  end
end

-- Measures from here on, until the function that it returns is called.
local function begin(server, checked)
  local wanted = true
  want(server, checked, 1)
  return function()
    if wanted then
      wanted = false
      want(server, checked, -1)
    end
  end
end

_M.plugin = {
  name = "pp-metrics",
  version = runtime.version,
  install = function(ctx, given)
    local checked = options.check("ppMetricsPlugin", OPTIONS, given or {}, 0)
    if not checked.prefix:find "^[%a_:][%w_:]*$" then
      error(("ppMetricsPlugin: %q can't begin the name of a metric"):format(checked.prefix), 0)
    end
    local metrics = setmetatable({
      _server = ctx._server,
      _prefix = checked.prefix,
      _labels = labels_text(checked.labels or {}),
      _measures = { handlerTime = checked.handlerTime, loopDelay = checked.loopDelay },
    }, Metrics)
    ctx:expose(metrics)
    local stop = begin(ctx._server, checked)
    reload.on_unload(stop)
    return { onShutdown = stop }
  end,
}

return _M
