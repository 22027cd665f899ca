-- The commands of the program: what each takes and does. --help and docs/api/cli.md are written from these tables.
--
--   { name, operand = "FILE" | "[FILE]", about, options = { { name, value = "MS", kind, values, about, doc } },
--     run = fn(given, operands) }       doc: what the page says in place of `about`, which is short

local runtime = require "painda.core.runtime"
local cli_fail = require "painda.cli.fail"

local ipairs, tostring = ipairs, tostring

local fail, FAILURE = cli_fail.fail, cli_fail.FAILURE

local SWAP_PATIENCE = 24 * 3600 * 1000 -- ms: loading may wait, and has a limit of its own (--load-timeout)

local commands = {}

local LOGGING = {
  {
    name = "log-level",
    value = "LEVEL",
    values = { "debug", "info", "warn", "error", "silent" },
    about = "least level that is logged (info)",
    doc = "`debug`, `info` (default), `warn`, `error`, `silent`",
  },
  {
    name = "log-format",
    value = "FORMAT",
    values = { "text", "json" },
    about = "text or json (text)",
    doc = "`text` (default) or `json`",
  },
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
    cli_fail.as_json = given["log-format"] == "json"
  end
end

-- Which running server a command is for: painda/control/client.lua.
local function with_target(list)
  list[#list + 1] = { name = "pid", value = "PID", kind = "pid", about = "the server with this process" }
  list[#list + 1] = { name = "control", value = "PATH", about = "the server with this control socket" }
  return list
end

-- The line to the server that is meant, or nil: then the command has ended.
local function server_of(given, operands)
  local line, err = require("painda.control.client").open {
    pid = given.pid,
    control = given.control,
    application = operands[1],
  }
  if not line then
    fail(FAILURE, err)
  end
  return line
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
    {
      name = "port",
      value = "PORT",
      kind = "port",
      about = "the application's first port becomes this (0: any)",
      doc = "0 to 65535: the first port that the application opens becomes this; 0: any free one, which the log tells",
    },
    {
      name = "watch",
      about = "load the application again when one of its files changes",
      doc = "loads the application again when one of its files changes; see [reload](reload.md)",
    },
    {
      name = "control",
      value = "PATH",
      about = "socket for painda console and the like; off: none",
      doc = "where the control socket is, see [below](#the-control-socket); `off`: none",
    },
    {
      name = "load-timeout",
      value = "MS",
      kind = "milliseconds",
      about = "time that loading may take, at the start and at a reload (30000)",
      doc = "how long loading may take, at the start and at a reload, 30000 by default",
    },
    {
      name = "hard-timeout",
      value = "MS",
      kind = "milliseconds",
      least = 0,
      about = "restart a loop that has not turned for so long, 0: never (10000)",
      doc = "a worker whose event loop has not turned for so long is ended, and another started; 10000 by default, "
        .. "0: never",
    },
    {
      name = "no-supervisor",
      about = "in one process, that nobody restarts: for debuggers",
      doc = "one process, which nobody starts again; for debuggers",
    },
    {
      name = "shutdown-timeout",
      value = "MS",
      about = "time that a shutdown may take (5000)",
      doc = "how long a shutdown may take, 5000 by default",
    },
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
  name = "new",
  operand = "NAME",
  about = "makes a project: an application, its tests, what an editor wants to know",
  options = {
    {
      name = "template",
      value = "TEMPLATE",
      values = { "chat", "arena", "empty" },
      about = "what it begins as: chat, arena, empty (empty)",
      doc = "what it begins as: `empty` (default), `chat`, `arena`",
    },
    { name = "types", about = "only the editor's types, anew, into a folder that is there" },
  },
  run = function(given, operands)
    local made = require "painda.new"
    local text, wrong = (given.types and made.types or made.project)(operands[1], given.template or "empty")
    if not text then
      return fail(FAILURE, wrong)
    end
    io.stdout:write(text)
    runtime.stop(0)
  end,
}

commands[#commands + 1] = {
  name = "check",
  operand = "PATH",
  about = "checks a file, or all of a folder, without running it",
  options = {},
  run = function(_, operands)
    local result, wrong = require("painda.check").run(operands[1])
    if not result then
      return fail(FAILURE, wrong)
    end
    for _, line in ipairs(result.lines) do
      io.stdout:write(line, "\n")
    end
    for _, note in ipairs(result.notes) do
      io.stdout:write("note: ", note, "\n")
    end
    if result.bad > 0 then
      return fail(FAILURE, ("%d found in %d of %d files"):format(#result.lines, result.bad, result.files))
    end
    io.stdout:write(result.files == 1 and operands[1] or ("%d files"):format(result.files), ": ok\n")
    runtime.stop(0)
  end,
}

commands[#commands + 1] = {
  name = "test",
  operand = "[DIR]",
  about = "runs the busted specs of a folder inside the event loop",
  options = with_logging {
    { name = "reload", about = "swap a new generation in before each test, as a reload does" },
    { name = "filter", value = "PATTERN", about = "only tests whose name matches the Lua pattern" },
    { name = "timeout", value = "MS", kind = "milliseconds", about = "time that one test may take (20000)" },
  },
  run = function(given, operands)
    set_logging(given)
    return require("painda.test_runner").run(operands[1] or "spec", given, fail)
  end,
}

-- reload and rollback: the server says what came of it.
local function swap(command, done)
  return function(given, operands)
    local line = server_of(given, operands)
    if not line then
      return
    end
    local result, err = line:request(command, nil, nil, SWAP_PATIENCE)
    if not result then
      return fail(FAILURE, err)
    end
    io.stdout:write(("%s: generation %d serves\n"):format(done, result.generation))
    runtime.stop(0)
  end
end

commands[#commands + 1] = {
  name = "reload",
  operand = "[APP]",
  about = "loads the application of a running server again",
  options = with_target {},
  run = swap("reload", "reloaded"),
}

commands[#commands + 1] = {
  name = "rollback",
  operand = "[APP]",
  about = "goes back to the version of the application that a running server had before",
  options = with_target {},
  run = swap("rollback", "rolled back"),
}

commands[#commands + 1] = {
  name = "console",
  operand = "[APP]",
  about = "runs Lua in a running server, line by line",
  options = with_target {
    { name = "eval", value = "CODE", about = "only this" },
  },
  run = function(given, operands)
    local line = server_of(given, operands)
    if line then
      runtime.stop(require("painda.console.client").run(line, given.eval))
    end
  end,
}

commands[#commands + 1] = {
  name = "stats",
  operand = "[APP]",
  about = "shows what a running server does",
  options = with_target {
    { name = "once", about = "one look, then the end" },
    { name = "json", about = "as JSON: once, or a line for each look with --interval" },
    { name = "interval", value = "MS", kind = "milliseconds", about = "time between two looks (1000)" },
  },
  run = function(given, operands)
    local line = server_of(given, operands)
    if line then
      return require("painda.stats_view").run(line, given, function(err)
        return fail(FAILURE, err)
      end)
    end
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

return commands
