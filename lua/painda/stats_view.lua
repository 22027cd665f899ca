-- The person's end of `painda stats`: counters as text, once or again and again, on a terminal in place.

local runtime = require "painda.core.runtime"
local terminal = require "painda.core.terminal"
local harmless = require("painda.control.text").harmless
local json = require "painda.json"
local task = require "painda.task"

local ipairs = ipairs
local concat, floor, stdout = table.concat, math.floor, io.stdout

local INTERVAL = 1000 -- ms

local _M = {}

-- What is shown of a server: label, field, unit. Those without a unit are shown where they are not 0.
local ROWS = {
  { "clients", "clients", "now" },
  { "rooms", "rooms", "now" },
  { "typed rooms", "typedRooms", "now" },
  { "presences", "presenceTracked", "now" },
  { "connections", "connections", "count" },
  { "messages in", "messagesReceived", "count" },
  { "messages out", "messagesSent", "count" },
  { "bytes in", "bytesReceived", "bytes" },
  { "bytes out", "bytesSent", "bytes" },
  { "room deltas", "roomDeltas", "count" },
  { "refused", "refused" },
  { "malformed", "malformed" },
  { "over the rate", "rateLimited" },
  { "forbidden", "forbidden" },
  { "dropped", "dropped" },
  { "room errors", "roomErrors" },
}

-- --- numbers ---

-- 1234567 → "1,234,567"
local function grouped(n)
  local text = ("%.0f"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

local function bytes_text(n)
  for _, unit in ipairs { "B", "KiB", "MiB", "GiB" } do
    if n < 1024 or unit == "GiB" then
      return (unit == "B" and "%.0f %s" or "%.1f %s"):format(n, unit)
    end
    n = n / 1024
  end
end

local function duration_text(seconds)
  local s = floor(seconds)
  if s < 60 then
    return s .. " s"
  elseif s < 3600 then
    return ("%d min %02d s"):format(s / 60, s % 60)
  elseif s < 86400 then
    return ("%d h %02d min"):format(s / 3600, s % 3600 / 60)
  end
  return ("%d d %02d h"):format(s / 86400, s % 86400 / 3600)
end

-- --- text ---

-- The server of the sample before, by its port.
local function before_of(previous, port)
  for _, server in ipairs(previous and previous.servers or {}) do
    if server.port == port then
      return server
    end
  end
end

-- Of the widths of a label, a value and a rate, those that fit.
local WIDE, NARROW = "  %-24s %16s %16s", "  %-13s %10s %10s"

local function layout_for(columns)
  return columns and columns <= #WIDE:format("", "", "") and NARROW or WIDE
end

local function server_lines(server, before, seconds, lines, layout)
  lines[#lines + 1] = ""
  local title = ("port %d, up %s"):format(server.port, duration_text(server.uptime))
  local head = layout:format("", "", before and "per second" or ""):gsub("%s+$", "")
  lines[#lines + 1] = title .. head:sub(#title + 1)
  for _, row in ipairs(ROWS) do
    local label, field, unit = row[1], row[2], row[3]
    local value = server[field] or 0
    if unit or value > 0 then
      local text = unit == "bytes" and bytes_text or grouped
      local rate = ""
      if before and unit ~= "now" and unit then
        rate = text((value - (before[field] or 0)) / seconds)
      end
      lines[#lines + 1] = (layout:format(label, text(value), rate):gsub("%s+$", ""))
    end
  end
end

local function alive_text(stats)
  local alive = stats.generationsAlive or 1
  return alive > 1 and (" (%d alive)"):format(alive) or ""
end

-- A sample and the one before it, `seconds` ago, as lines; for so many columns where they are few.
function _M.lines(stats, previous, seconds, columns)
  local busy = previous and ("%.0f %%"):format((stats.cpu - previous.cpu) / seconds * 100)
    or duration_text(stats.cpu)
  local lines = {
    ("%s, process %d, generation %d%s"):format(stats.application, stats.pid, stats.generation, alive_text(stats)),
    ("memory %s (Lua %s), processor %s, longest pause of the collector %.1f ms"):format(
      bytes_text(stats.memory), bytes_text(stats.luaMemory), busy, stats.gcLongestPauseMs),
    ("handlers that wait %s, that raised %s; tasks that wait %s"):format(
      grouped(stats.handlersWaiting), grouped(stats.handlerErrors), grouped(stats.tasksWaiting)),
  }
  for _, server in ipairs(stats.servers) do
    server_lines(server, before_of(previous, server.port), seconds, lines, layout_for(columns))
  end
  return lines
end

-- One line for a log: the sums over all servers.
function _M.line(stats, previous, seconds)
  local sums = {}
  for _, row in ipairs(ROWS) do
    local value, before = 0, 0
    for _, server in ipairs(stats.servers) do
      local old = before_of(previous, server.port)
      value = value + (server[row[2]] or 0)
      before = before + (old and old[row[2]] or 0)
    end
    sums[row[2]] = { value, previous and (value - before) / seconds or 0 }
  end
  return ("generation=%d clients=%d rooms=%d in=%.0f/s out=%.0f/s dropped=%d errors=%d memory=%s"):format(
    stats.generation, sums.clients[1], sums.rooms[1], sums.messagesReceived[2], sums.messagesSent[2], sums.dropped[1],
    stats.handlerErrors, (bytes_text(stats.memory):gsub(" ", "")))
end

-- --- showing: false or nil where nobody reads any more ---

local function plain(stats, previous, seconds)
  return stdout:write(_M.line(stats, previous, seconds), "\n") and stdout:flush()
end

local function as_json(stats)
  return stdout:write(json.encode(stats), "\n") and stdout:flush()
end

-- Adds the line to `out`, in as many as it takes.
local function wrap(line, width, out)
  while #line > width do
    local stop = line:sub(1, width + 1):match "^.*%S()%s" or width + 1
    out[#out + 1] = line:sub(1, stop - 1)
    line = line:sub(stop):gsub("^%s+", "")
  end
  out[#out + 1] = line
end

-- The lines for a screen of that size. Where it is too low lines are cut off, and empty ones and counters of 0 go.
function _M.screen(stats, previous, seconds, columns, rows)
  local all, filled = {}, {}
  for _, line in ipairs(_M.lines(stats, previous, seconds, columns)) do
    line = harmless(line)
    wrap(line, columns - 1, all)
    if line ~= "" and not line:find "^  %a[%a ]* 0%f[^%w,.]" then
      filled[#filled + 1] = line:sub(1, columns - 1)
    end
  end
  if #all < rows then
    return all
  end
  local left = #filled - (rows - 1)
  for i = #filled, rows, -1 do
    filled[i] = nil
  end
  if left > 0 then
    filled[rows - 1] = ("… %d more: --once shows all"):format(left + 1):sub(1, columns + 1)
  end
  return filled
end

-- In place: what does not fit is left out.
local function in_place(stats, previous, seconds)
  local columns, rows = terminal.size()
  local lines = _M.screen(stats, previous, seconds, columns, rows)
  stdout:write("\27[H", concat(lines, "\27[K\r\n", 1, #lines < rows and #lines or rows - 1), "\27[K\27[J")
  return stdout:flush()
end

local function all_lines(stats)
  for _, line in ipairs(_M.lines(stats)) do
    stdout:write(harmless(line), "\n")
  end
end

-- Samples until the server ends: returns what to say of that; or until nobody reads any more: nothing.
local function repeatedly(line, interval, show)
  local previous, at
  while true do
    local stats, err = line:request "stats"
    if not stats then
      return err
    end
    local now = runtime.now()
    if not show(stats, previous, at and (now - at) / 1000) then
      return
    end
    previous, at = stats, now
    task.sleep(interval)
  end
end

-- `painda stats`: given = { once, json, interval }. Ends the process; fail(text) where something is wrong.
function _M.run(line, given, fail)
  local is_terminal = terminal.is_terminal(1)
  if given.once or given.json and not given.interval then
    local stats, err = line:request "stats"
    if not stats then
      return fail(err)
    end
    (given.json and as_json or all_lines)(stats)
    return runtime.stop(0)
  end
  stdout:setvbuf "full" -- a line that could not be written is only noticed where flush writes it
  local live = is_terminal and not given.json
  local function leave()
    if live then
      stdout:write "\27[?25h\27[?1049l"
      stdout:flush()
    end
  end
  if live then
    stdout:write "\27[?1049h\27[?25l"
  end
  for _, signal in ipairs { "SIGINT", "SIGTERM" } do
    runtime.on_signal(signal, function()
      leave()
      runtime.stop(0)
    end)
  end
  local err = repeatedly(line, given.interval or INTERVAL, given.json and as_json or live and in_place or plain)
  leave()
  if err then
    return fail(err)
  end
  return runtime.stop(0)
end

return _M
