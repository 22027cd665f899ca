-- The command line: reading options, help, and calling the command. What commands there are: painda/cli/commands.lua.

local runtime = require "painda.core.runtime"
local commands = require "painda.cli.commands"
local fail = require("painda.cli.fail").fail
local option_text = require("painda.cli.reference").option_text
local options = require "painda.options"

local ipairs, tonumber = ipairs, tonumber
local concat = table.concat

local USAGE = require("painda.cli.fail").USAGE

local _M = {}

-- --- reading options ---

local function find_option(command, name)
  local names = {}
  for i, option in ipairs(command.options) do
    if option.name == name then
      return option
    end
    names[i] = option.name
  end
  local near = options.nearest(name, names)
  local hint = near and (", did you mean --%s?"):format(near) or ""
  return nil, ("unknown option --%s of painda %s%s"):format(name, command.name, hint)
end

local function convert(option, text)
  if option.kind == "port" then
    local port = text:match "^%d+$" and tonumber(text)
    if not port or port > 65535 then
      return nil, ("--%s takes a port from 0 to 65535, not %q"):format(option.name, text)
    end
    return port
  end
  if option.kind == "pid" then
    local pid = text:match "^%d+$" and tonumber(text)
    if not pid or pid < 1 or pid > 2 ^ 31 then
      return nil, ("--%s takes the number of a process, not %q"):format(option.name, text)
    end
    return pid
  end
  if option.kind == "milliseconds" then
    local ms = text:match "^%d+$" and tonumber(text)
    local least = option.least or 1
    if not ms or ms < least or ms > 86400000 then
      return nil, ("--%s takes milliseconds from %d to 86400000, not %q"):format(option.name, least, text)
    end
    return ms
  end
  if option.values then
    for _, value in ipairs(option.values) do
      if value == text then
        return text
      end
    end
    return nil, ("--%s takes one of %s, not %q"):format(option.name, concat(option.values, ", "), text)
  end
  return text
end

-- Splits the arguments after the command into options and operands. nil and a message where they are wrong.
local function parse(command, arguments)
  local given, operands, i = {}, {}, 2
  while i <= #arguments do
    local argument = arguments[i]
    local name, value = argument:match "^%-%-([^=]+)=?(.*)$"
    if argument == "-h" then
      name, value = "help", ""
    end
    if not name then
      operands[#operands + 1] = argument
    elseif name == "help" then
      given.help = true
    else
      local option, err = find_option(command, name)
      if not option then
        return nil, err
      end
      if option.value then
        if not argument:find "=" then
          i = i + 1
          value = arguments[i]
        end
        if not value then
          return nil, ("%s needs a value"):format(option_text(option))
        end
        value, err = convert(option, value)
        if value == nil then
          return nil, err
        end
      elseif argument:find "=" then
        return nil, ("--%s takes no value"):format(name)
      else
        value = true
      end
      given[name] = value
    end
    i = i + 1
  end
  return given, operands
end

-- --- help ---

local function command_help(command)
  local usage = command.name .. (command.operand and " " .. command.operand or "")
  local lines = { "painda " .. usage, "", "  " .. command.about }
  if #command.options > 0 then
    lines[#lines + 1] = ""
    for _, option in ipairs(command.options) do
      lines[#lines + 1] = ("  %-24s %s"):format(option_text(option), option.about)
    end
  end
  return concat(lines, "\n") .. "\n"
end

local function help()
  local lines = { "Painda: realtime servers in Lua.", "", "  painda COMMAND [options]     painda COMMAND --help", "" }
  for _, command in ipairs(commands) do
    local usage = command.name .. (command.operand and " " .. command.operand or "")
    lines[#lines + 1] = ("  %-20s %s"):format(usage, command.about)
  end
  return concat(lines, "\n") .. "\n"
end

commands[#commands + 1] = {
  name = "help",
  operand = "[COMMAND]",
  about = "explains a command",
  options = {},
  run = function(_, operands)
    local command = _M.find(operands[1])
    if operands[1] and not command then
      return fail(USAGE, _M.unknown(operands[1]))
    end
    io.stdout:write(command and command_help(command) or help())
    runtime.stop(0)
  end,
}

function _M.find(name)
  for _, command in ipairs(commands) do
    if command.name == name then
      return command
    end
  end
end

function _M.unknown(name)
  local names = {}
  for i, command in ipairs(commands) do
    names[i] = command.name
  end
  local near = options.nearest(name, names)
  local hint = near and (", did you mean %q?"):format(near) or ""
  return ("unknown command %q%s (painda help lists them)"):format(name, hint)
end

local ALIASES = { ["--version"] = "version", ["-v"] = "version", ["--help"] = "help", ["-h"] = "help" }

-- The operands must be as many as the command takes.
local function operands_wrong(command, operands)
  local needed = command.operand and not command.operand:find "^%[" and 1 or 0
  local allowed = command.operand and 1 or 0
  if #operands < needed then
    return ("painda %s needs %s (painda %s --help)"):format(command.name, command.operand, command.name)
  end
  if #operands > allowed then
    return ("painda %s does not know what to do with %q"):format(command.name, operands[allowed + 1])
  end
end

-- Runs the command line. It ends the loop itself where the command does not go on.
function _M.main(arguments)
  local name = arguments[1]
  if not name then
    io.stderr:write(help())
    return runtime.stop(USAGE)
  end
  local command = _M.find(ALIASES[name] or name)
  if not command then
    return fail(USAGE, _M.unknown(name))
  end
  local given, operands = parse(command, arguments)
  if not given then
    return fail(USAGE, operands)
  end
  if given.help then
    io.stdout:write(command_help(command))
    return runtime.stop(0)
  end
  local wrong = operands_wrong(command, operands)
  if wrong then
    return fail(USAGE, wrong)
  end
  return command.run(given, operands)
end

return _M
