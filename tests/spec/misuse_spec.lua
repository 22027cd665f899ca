-- Whatever is handed to a function of the API: what it raises is said in its own words, and blames the line that called
-- it, not one of the runtime.

local painda = require "painda"
local explain = require "painda.explain"
local support = require "support"

local HERE = "tests/spec/misuse_spec.lua"
local THREAD = coroutine.create(function() end)

-- What nobody should hand to anything, and what may be right here and there.
local VALUES = {
  0 / 0, -1, 1e300, 1.5, true, false, "", "a", "\0", "\255", ("x"):rep(300), {}, { 1 }, { a = { b = print } },
  { type = 1 }, { nonsense = true }, print, function() end, painda.null, painda.array {}, THREAD, io.stdout,
  setmetatable({}, { __metatable = 1 }),
}

-- A wrong text: raised by Lua itself, or at a line of the runtime.
local function is_wrong(raised)
  local text = tostring(raised)
  if text:find("attempt to ", 1, true) or text:find("bad argument", 1, true) then
    return true
  end
  local elsewhere = type(raised) == "string" and text:sub(1, #HERE + 1) ~= HERE .. ":"
  return elsewhere or text:find "painda/[%w_/]+%.lua:%d+:" ~= nil
end

local function show(value)
  return type(value) == "string" and ("%q"):format(value:sub(1, 20)) or tostring(value)
end

local wrong

local function try(what, fn, ...)
  local count, arguments = select("#", ...), { ... }
  local ok, raised = pcall(function()
    local result = fn(unpack(arguments, 1, count)) -- no tail call: this line is the caller's
    return result
  end)
  if not ok and is_wrong(raised) then
    local shown = {}
    for i = 1, count do
      shown[i] = show(arguments[i])
    end
    wrong[#wrong + 1] = ("%s(%s): %s"):format(what, table.concat(shown, ", "), tostring(raised))
  end
end

-- A method that is called with a dot need not look for that each time: the log explains what came of it.
local function try_with_dot(what, fn, ...)
  local ok, raised = pcall(fn, ...)
  local text = tostring(raised)
  if not ok and text:find "attempt to" and not explain.with_hint(text):find("with a colon", 1, true) then
    wrong[#wrong + 1] = ("%s(…): %s"):format(what, tostring(raised))
  end
end

-- Hands everything to a function: alone, behind a name that is right, and before a function that is.
local function misuse(what, fn, ...)
  local self, count = { ... }, select("#", ...)
  local function call(...)
    local arguments, n = { unpack(self, 1, count) }, count
    for i = 1, select("#", ...) do
      n = n + 1
      arguments[n] = (select(i, ...))
    end
    try(what, fn, unpack(arguments, 1, n))
  end
  call()
  for i = 1, #VALUES do
    local value = VALUES[i]
    call(value)
    call("name", value)
    call("name", {}, value)
    call(value, function() end)
    call("name", function() end, value)
  end
  call(nil, nil, nil)
end

local function assert_none_wrong()
  local shown = {}
  for i = 1, math.min(#wrong, 40) do
    shown[i] = wrong[i]
  end
  assert(#wrong == 0, #wrong .. " errors that blame the runtime:\n" .. table.concat(shown, "\n"))
end

-- The public functions of a table, by name.
local function functions_of(methods)
  local names = {}
  for name, value in pairs(methods) do
    if type(value) == "function" and not name:find "^_" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- --- what is misused ---

local ENDS = {
  close = true, gracefulShutdown = true, dispose = true, request = true, fetch = true, disconnectSockets = true,
}

local function misuse_methods(what, object, methods, left_out)
  for _, name in ipairs(functions_of(methods)) do
    if not ENDS[name] and not (left_out and left_out[name]) then
      misuse(what .. ":" .. name, methods[name], object)
      try_with_dot(what .. "." .. name, methods[name])
      try_with_dot(what .. "." .. name, methods[name], "a", function() end)
    end
  end
end

describe("misuse", function()
  local server, client, socket

  before_each(function()
    wrong = {}
    server = support.server()
    server:on("connection", function(connected)
      socket = connected
    end)
    client = painda.PPClient { url = support.url(server), reconnect = false }
    support.event(client, "connect")
    support.eventually(function()
      return socket
    end, "the connection")
  end)

  after_each(function()
    client:close()
    server:close()
    socket = nil
  end)

  it("of a server is blamed on its line", function()
    misuse_methods("server", server, getmetatable(server).__index)
    assert_none_wrong()
  end)

  it("of a client's socket is blamed on its line", function()
    misuse_methods("client", socket, require("painda.socket").Socket)
    assert_none_wrong()
  end)

  it("of a namespace is blamed on its line", function()
    misuse_methods("namespace", server:of "/x", require("painda.namespace").Namespace)
    assert_none_wrong()
  end)

  it("of a target is blamed on its line", function()
    misuse_methods("target", server:to "room", require("painda.target").Target)
    assert_none_wrong()
  end)

  it("of presence is blamed on its line", function()
    misuse_methods("presence", server.presence, getmetatable(server.presence).__index)
    assert_none_wrong()
  end)

  it("of a typed room is blamed on its line", function()
    misuse_methods("room", server:room("typed", {}), require("painda.typed_room").Room)
    assert_none_wrong()
  end)

  it("of a PPClient is blamed on its line", function()
    local methods = {}
    for name, method in pairs(require("painda.client.scope").Scope) do
      methods[name] = method
    end
    for name, method in pairs(getmetatable(client).__index) do
      methods[name] = method
    end
    misuse_methods("client", client, methods)
    assert_none_wrong()
  end)

  it("of an HTTP server is blamed on its line", function()
    local http = painda.HttpServer { port = 0 }
    misuse_methods("http", http, getmetatable(http).__index, { attach = true })
    http:close()
    assert_none_wrong()
  end)

  it("of what painda has itself is blamed on its line", function()
    local names = {
      "PPServer", "PPClient", "HttpServer", "after", "every", "spawn", "state", "schema", "map", "list", "text",
      "quantized", "on_unload",
    }
    for _, name in ipairs(names) do
      local fn = painda[name]
      misuse("painda." .. name, function(...)
        local made = fn(...)
        if type(made) == "table" and type(made.close) == "function" then
          made:close()
        elseif type(made) == "table" and type(made.cancel) == "function" then
          made:cancel()
        end
        return made
      end)
    end
    assert_none_wrong()
  end)
end)
