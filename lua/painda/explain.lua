-- What makes an error's text in the log say more: what was meant by a name that is none, and the lines of the
-- application's source that the traceback leads through.
--
--   app.lua:12: attempt to call method 'brodcast' (a nil value), did you mean "broadcast"?
--        12 |   server:brodcast("say", payload)
--       stack traceback:
--       app.lua:12: in function 'tell'
--       app.lua:20: in function <app.lua:18>
--        20 |   tell(payload)

local api = require "painda.api"
local options = require "painda.options"

local tonumber, pairs = tonumber, pairs

-- What a peer has sent may stand in a message, and the patterns below take a time that grows with its square.
local MOST_LOOKED_AT = 1000 -- bytes of a message
local LONGEST_LINE = 100 -- bytes of a line of source that are shown
local MOST_FRAMES = 8 -- of a traceback that are shown with their line

local _M = {}

-- The text with a hint at the end of its first line, where one is known.
function _M.with_hint(text)
  local first, rest = text:match "^([^\n]*)(.*)$"
  if #first > MOST_LOOKED_AT then
    return text
  end
  local name = first:match "attempt to call %a+ '([^']+)' %(a nil value%)$"
  return name and first .. api.hint(name) .. rest or text
end

-- The source that a traceback names, whose long paths it shortens; nil where it is none of the application's.
local function find(sources, shown)
  if sources[shown] then
    return sources[shown]
  end
  local ending = shown:match "^%.%.%.(.+)$"
  for path, text in pairs(ending and sources or {}) do
    if path:sub(-#ending) == ending then
      return text
    end
  end
end

local function line_of(text, number)
  local at = 1
  for line in (text .. "\n"):gmatch "([^\n]*)\r?\n" do
    if at == number then
      return line
    end
    at = at + 1
  end
end

-- A line of source as it is shown below its frame, or nil.
local function shown_line(sources, path, number)
  local text = find(sources, path)
  local line = text and line_of(text, tonumber(number))
  if not line or not line:find "%S" then
    return nil
  end
  line = line:gsub("%s+$", ""):gsub("\t", "  ")
  return ("\n\t%3s | %s"):format(number, options.cut(line, LONGEST_LINE))
end

-- The line of source that an error's message begins with, where it does.
local function raised_at(sources, head)
  for path, number in head:gmatch "([^%s:]+):(%d+): " do
    local line = shown_line(sources, path, number)
    if line then
      return line, path .. ":" .. number .. ":"
    end
  end
  return "", nil
end

-- Where the traceback begins, which is the last thing in a text; nil where it has none.
local function find_frames(text)
  local found
  local at = text:find("stack traceback:", 1, true)
  while at do
    found, at = at, text:find("stack traceback:", at + 1, true)
  end
  local before = found and text:sub(1, found - 1):find "\n[ \t]*$"
  return before
end

-- The innermost frame of a coroutine that has ended has no line: it is where the message says.
local function with_line(head, frames)
  local path, number = head:match "([^%s:]+):(%d+): "
  local left = 1
  return (frames:gsub("(\n[ \t]*)([^%s:][^\n:]*)(: in )", function(indent, of, rest)
    if of == path and left > 0 then
      left = 0
      return indent .. of .. ":" .. number .. rest
    end
  end))
end

-- A text with a traceback, with the lines of source that it leads through. `sources`: path → text.
function _M.with_source(text, sources)
  local begin = find_frames(text)
  local head, frames = text:sub(1, (begin or 1) - 1), begin and text:sub(begin)
  local told_already = "\n[ \t]*%d+ | "
  if not frames or frames:find(told_already) or head:sub(-2 * LONGEST_LINE):find(told_already) then
    return text
  end
  local beginning = head:sub(1, MOST_LOOKED_AT)
  frames = with_line(beginning, frames)
  local left, line_raised, place = MOST_FRAMES, raised_at(sources, beginning)
  local told = frames:gsub("(\n[ \t]*([^%s:][^\n:]*):(%d+): in [^\n]*)", function(frame, path, number)
    local line = left > 0 and path .. ":" .. number .. ":" ~= place and shown_line(sources, path, number)
    left = left - (line and 1 or 0)
    return line and frame .. line
  end)
  return head .. line_raised .. told
end

return _M
