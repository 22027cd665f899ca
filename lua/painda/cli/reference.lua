-- The parts of docs/api/cli.md that are written from the tables of the commands: what stands between
-- `<!-- commands -->` or `<!-- options of run -->` and the next `<!-- end -->`.

local commands = require "painda.cli.commands"

local ipairs = ipairs
local concat = table.concat

local WIDTH = 110 -- of the list of commands
local COLUMN = 21

local _M = {}

function _M.option_text(option)
  return "--" .. option.name .. (option.value and " " .. option.value or "")
end

-- One command with all that may follow it, in as many lines as it takes.
local function synopsis(command)
  local line = command.name .. (command.operand and " " .. command.operand or "")
  line = ("    painda %-" .. COLUMN - 7 .. "s"):format(line)
  local lines = {}
  for _, option in ipairs(command.options) do
    local word = " [" .. _M.option_text(option) .. "]"
    if #line + #word > WIDTH then
      lines[#lines + 1] = line
      line = (" "):rep(COLUMN + 4)
    end
    line = line .. word
  end
  lines[#lines + 1] = line
  for i, one in ipairs(lines) do
    lines[i] = one:gsub("%s+$", "")
  end
  return concat(lines, "\n")
end

local function all_commands()
  local lines = {}
  for i, command in ipairs(commands) do
    lines[i] = synopsis(command)
  end
  return concat(lines, "\n")
end

local function options_of(command)
  local lines = { "| option | |", "|---|---|" }
  for _, option in ipairs(command.options) do
    lines[#lines + 1] = ("| `%s` | %s |"):format(_M.option_text(option), option.doc or option.about)
  end
  return concat(lines, "\n")
end

-- What belongs at a marker, or nil for one that means nothing.
local function text_of(marker)
  if marker == "commands" then
    return all_commands()
  end
  local name = marker:match "^options of (%S+)$"
  for _, command in ipairs(commands) do
    if command.name == name then
      return options_of(command)
    end
  end
end

-- The page with these parts as they should be.
function _M.rewrite(page)
  return (page:gsub("(<!%-%- ([%w ]+) %-%->\n).-(\n?<!%-%- end %-%->)", function(begin, marker, stop)
    local text = text_of(marker)
    return text and begin .. "\n" .. text .. "\n\n" .. stop:gsub("^\n", "")
  end))
end

return _M
