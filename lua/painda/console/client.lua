-- The person's end of `painda console`: lines are read with an editor where there is a terminal, else as they come.

local files = require "painda.core.files"
local harmless = require("painda.control.text").harmless
local terminal = require "painda.core.terminal"

local getenv, loadstring, ipairs, open = os.getenv, loadstring, ipairs, io.open
local concat = table.concat

local HISTORY = 1000 -- entries that are kept
local COMPLETION = 1000 -- ms

local _M = {}

-- Text of the server's, which may hold what strangers sent.
local function write(file, text)
  file:write(harmless(text, "[\n\t]"))
  file:flush()
end

-- Does the code stop in the middle, as an expression or as a statement? Then more lines belong to it.
local function is_unfinished(code)
  local expression, wrong = loadstring("return " .. code)
  local statement, wrong_too = loadstring(code)
  if expression or statement then
    return false
  end
  return (wrong .. wrong_too):find("near '<eof>'", 1, true) ~= nil
end

-- --- history: one entry a line, its own lines apart by \n ---

local function history_path()
  local state = getenv "XDG_STATE_HOME"
  local home = getenv "HOME"
  if not (state and state:find "^/") then
    state = home and home .. "/.local/state"
  end
  if state then
    local path = state .. "/painda/console_history"
    for stop in path:gmatch "()/" do
      files.make_directory(path:sub(1, stop - 1), 448) -- 0700; fails where it is there
    end
    return path
  end
end

local function load_history(editor, path)
  local entries = {}
  local file = path and open(path, "rb")
  for line in file and file:lines() or function() end do
    local text = line:gsub("\\(.)", { n = "\n", ["\\"] = "\\" })
    entries[#entries + 1] = line
    editor:remember(text)
  end
  if file then
    file:close()
  end
  return entries
end

-- --- reading ---

local function plain_reader()
  return function()
    local line = io.read "*l"
    if line then
      return line
    end
    return nil, "end"
  end, function() end
end

local function editing_reader(line)
  local editor = terminal.editor(function(text)
    return line:request("console.complete", { line = text }, nil, COMPLETION)
  end, HISTORY)
  local path = history_path()
  local entries = load_history(editor, path)
  local function remember(code)
    editor:remember(code)
    local text = code:gsub("[\\\n]", { ["\\"] = "\\\\", ["\n"] = "\\n" })
    if text ~= entries[#entries] then
      entries[#entries + 1] = text
      if path then
        files.write(path, concat(entries, "\n", math.max(1, #entries - HISTORY + 1)) .. "\n", 384) -- 0600
      end
    end
  end
  return function(prompt)
    return editor:read(prompt)
  end, remember, function()
    editor:close()
  end
end

-- --- running ---

-- True where it went well.
local function run(line, code)
  local function say(text)
    write(io.stdout, text)
  end
  local id, err, trace = line:send("console.run", { code = code })
  local result
  if id then
    result, err, trace = line:answer(id, say)
  end
  if result then
    for _, text in ipairs(result.shown) do
      write(io.stdout, text .. "\n")
    end
    return true
  end
  if err == "interrupted" then
    err = "not waited for any longer; it goes on in the server"
  end
  write(io.stderr, err .. "\n" .. (trace and trace .. "\n" or ""))
  return false, line.ended
end

-- The next piece of code, which may be several lines; nil at the end; "" after Ctrl-C.
local function read_code(read, prompt)
  local code, why = read(prompt .. "> ")
  while code and is_unfinished(code) do
    local more
    more, why = read((" "):rep(#prompt) .. "| ")
    if not more then
      if why == "end" then
        return code
      end
      code = nil
      break
    end
    code = code .. "\n" .. more
  end
  if not code and why == "interrupted" then
    return ""
  end
  return code
end

-- Reads and runs until the input ends. The exit status: 1 where something that did not come from a person failed, or
-- the server has ended.
local function loop(line, name, read, remember, is_person)
  local status = 0
  while true do
    local code = read_code(read, name)
    if not code then
      return status
    end
    if code:find "%S" then
      remember(code)
      local ok, gone = run(line, code)
      if gone then
        return 1
      elseif not ok and not is_person then
        status = 1
      end
    end
  end
end

-- `painda console`: to the end of the input, or only `code` where it is given. Returns the exit status.
function _M.run(line, code)
  if code then
    return run(line, code) and 0 or 1
  end
  local info, err = line:request "info"
  if not info then
    write(io.stderr, "painda: " .. err .. "\n")
    return 1
  end
  if not (terminal.is_terminal(0) and terminal.is_terminal(1)) then
    return loop(line, "", plain_reader())
  end
  terminal.catch_interrupts()
  local greeting = "%s, process %d, generation %d. help() says what there is; Ctrl-D ends.\n"
  write(io.stdout, greeting:format(info.application, info.supervisor or info.pid, info.generation))
  local read, remember, close = editing_reader(line)
  local status = loop(line, require("painda.control.place").name_of(info.application), read, remember, true)
  close()
  io.stdout:write "\n"
  return status
end

return _M
