-- The command line: commands, their options, and what they do. --help is written from the same tables.

local runtime = require "painda.core.runtime"
local options = require "painda.options"

local ipairs, tonumber, tostring = ipairs, tonumber, tostring
local concat = table.concat

local FAILURE, USAGE = 1, 2

local _M = {}
local commands = {}

local function fail(code, text)
  io.stderr:write("painda: ", text, "\n")
  runtime.stop(code)
end

-- --- reading options ---

local function option_text(option)
  return "--" .. option.name .. (option.value and " " .. option.value or "")
end

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
  if option.kind == "milliseconds" then
    local ms = text:match "^%d+$" and tonumber(text)
    if not ms or ms < 1 or ms > 86400000 then
      return nil, ("--%s takes milliseconds from 1 to 86400000, not %q"):format(option.name, text)
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

-- --- commands ---

local LOGGING = {
  {
    name = "log-level",
    value = "LEVEL",
    values = { "debug", "info", "warn", "error", "silent" },
    about = "least level that is logged (info)",
  },
  { name = "log-format", value = "FORMAT", values = { "text", "json" }, about = "text or json (text)" },
}

local function with_logging(list)
  for _, option in ipairs(LOGGING) do
    list[#list + 1] = option
  end
  return list
end

local function set_logging(given)
  if given["log-level"] then
    runtime.set_log_level(given["log-level"])
  end
  if given["log-format"] then
    runtime.set_log_format(given["log-format"])
  end
end

-- One line for a file that can't be read, or nil.
local function unreadable(path)
  local file, err = io.open(path, "rb")
  if not file then
    return "cannot read " .. err
  end
  local _, why = file:read(1) -- at the end of an empty file there is no error
  file:close()
  return why and ("cannot read %s: %s"):format(path, tostring(why)) or nil
end

commands[#commands + 1] = {
  name = "run",
  operand = "APP",
  about = "runs an application",
  options = with_logging {
    { name = "port", value = "PORT", kind = "port", about = "the application's first port becomes this (0: any)" },
    { name = "watch", about = "load the application again when one of its files changes" },
    { name = "shutdown-timeout", value = "MS", about = "time that a shutdown may take (5000)" },
  },
  run = function(given, operands)
    local path = operands[1]
    local wrong = unreadable(path)
    if wrong then
      return fail(FAILURE, wrong)
    end
    set_logging(given)
    return require("painda.run").start(path, given, fail)
  end,
}

commands[#commands + 1] = {
  name = "check",
  operand = "FILE",
  about = "checks the syntax of a file without running it",
  options = {},
  run = function(_, operands)
    local path = operands[1]
    local wrong = unreadable(path) or require("painda.app").check(path)
    if wrong then
      return fail(FAILURE, wrong)
    end
    io.stdout:write(path, ": ok\n")
    runtime.stop(0)
  end,
}

commands[#commands + 1] = {
  name = "test",
  operand = "[DIR]",
  about = "runs the busted specs of a folder inside the event loop",
  options = with_logging {
    { name = "filter", value = "PATTERN", about = "only tests whose name matches the Lua pattern" },
    { name = "timeout", value = "MS", kind = "milliseconds", about = "time that one test may take (20000)" },
  },
  run = function(given, operands)
    set_logging(given)
    return require("painda.test_runner").run(operands[1] or "spec", given, fail)
  end,
}

commands[#commands + 1] = {
  name = "version",
  about = "prints the version",
  options = {},
  run = function()
    io.stdout:write(("painda %s (%s)\n"):format(runtime.version, jit.version))
    runtime.stop(0)
  end,
}

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
