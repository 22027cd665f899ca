-- The annotations for editors are whole in themselves: what they name is defined, once, and each parameter is the
-- function's.

local FOLDER = "lua/painda/types/" -- the suite is run from the root of the source
local BASE = { -- what an editor knows without us
  "any", "boolean", "false", "fun", "integer", "lightuserdata", "nil", "number", "self", "string", "table", "thread",
  "true",
} -- stylua: ignore

local files = {}
for name in io.popen("ls " .. FOLDER):lines() do
  local file = assert(io.open(FOLDER .. name, "rb"))
  files[name] = file:read "*a"
  file:close()
end

-- Calls fn(file, line number, line) for each line.
local function each_line(fn)
  for name, text in pairs(files) do
    local number = 0
    for line in (text .. "\n"):gmatch "([^\n]*)\n" do
      number = number + 1
      fn(name, number, line)
    end
  end
end

local function assert_none(wrong)
  table.sort(wrong)
  assert(#wrong == 0, table.concat(wrong, "\n"))
end

-- What a type is made of, without the comment that may follow it: "fun(a: string): integer? why" gives "string",
-- "integer". Names of parameters and fields, and strings, are taken out before.
local function type_at(text)
  local depth, last = 0, 0
  for at = 1, #text do
    local c = text:sub(at, at)
    if c:find "[%(%[{<]" then
      depth = depth + 1
    elseif c:find "[%)%]}>]" then
      depth = depth - 1
    elseif c == " " and depth == 0 then
      local joined = text:sub(1, at - 1):find "[|:,]%s*$" or text:sub(at + 1):find "^[|]"
      if not joined then
        break
      end
    end
    last = at
  end
  return text:sub(1, last)
end

local function names_in(text)
  local names = {}
  text = text:gsub('"[^"]*"', " "):gsub("[%w_]+%?*%s*:", " ")
  for name in text:gmatch "[%a_][%w_.]*" do
    names[#names + 1] = (name:gsub("%.+$", ""))
  end
  return names
end

describe("annotations", function()
  local defined, wrong

  before_each(function()
    wrong = {}
  end)

  setup(function()
    defined = {}
    for _, name in ipairs(BASE) do
      defined[name] = {}
    end
    each_line(function(file, number, line)
      local name = line:match "^%-%-%-@class ([%w_.]+)" or line:match "^%-%-%-@alias ([%w_.]+)"
      if name then
        defined[name] = defined[name] or {}
        table.insert(defined[name], file .. ":" .. number)
      end
    end)
  end)

  it("are Lua, and named as their files", function()
    for name, text in pairs(files) do
      assert(loadstring(text, "@" .. name))
      local module = name == "painda.lua" and "painda" or "painda." .. name:gsub("%.lua$", "")
      assert.equal("---@meta " .. module, text:match "^[^\n]*")
    end
  end)

  it("define each type once", function()
    for name, places in pairs(defined) do
      if #places > 1 then
        wrong[#wrong + 1] = name .. ": " .. table.concat(places, ", ")
      end
    end
    assert_none(wrong)
  end)

  it("name no type that is not defined", function()
    local generics = {}
    each_line(function(file, number, line)
      local generic = line:match "^%-%-%-@generic ([%w_]+)"
      if generic then
        generics = { [generic] = true }
      elseif line:find "^function" or line == "" then
        generics = {}
      end
      local kind, rest = line:match "^%-%-%-@(%a+) (.*)$"
      if kind == "param" or kind == "field" then
        rest = rest:gsub("^[%w_.]+%??%s+", "")
      elseif kind == "alias" then
        rest = rest:gsub("^[%w_.]+%s*", "")
      elseif kind ~= "return" and kind ~= "overload" and kind ~= "type" then
        rest = ""
      end
      for _, name in ipairs(names_in(type_at(rest or ""))) do
        if not defined[name] and not generics[name] then
          wrong[#wrong + 1] = ("%s:%d: %s"):format(file, number, name)
        end
      end
    end)
    assert_none(wrong)
  end)

  it("describe the parameters that the functions have, in their order", function()
    local described = {}
    each_line(function(file, number, line)
      local name = line:match "^%-%-%-@param ([%w_.]+)"
      if name then
        described[#described + 1] = name
      end
      local parameters = line:match "^function [%w_.:]+%((.-)%)"
      if parameters and table.concat(described, ", ") ~= parameters then
        wrong[#wrong + 1] = ("%s:%d: (%s) is described as (%s)"):format(
          file, number, parameters, table.concat(described, ", "))
      end
      if parameters or not line:find "^%-%-%-" then
        described = {}
      end
    end)
    assert_none(wrong)
  end)

  -- The events of `class`: those of its overloads, and of the names that its `on` takes.
  local function annotated_events(file, class)
    local body = files[file]:match("^(.-)\nfunction " .. class .. ":on%(")
    body = body:match ".*\n\n(.-)$" or body
    local events = {}
    for line in body:gmatch "[^\n]+" do
      local names = line:match "^%-%-%-@overload fun%(self, name: (.-), fn" or line:match '^%-%-%-@param name (".*)$'
      for name in (names or ""):gmatch '"([^"]+)"' do
        events[name] = true
      end
    end
    return events
  end

  -- The value of that name which a function sees, or one that it calls.
  local function seen(fn, wanted, depth)
    for i = 1, 255 do
      local name, value = debug.getupvalue(fn, i)
      if not name then
        return
      elseif name == wanted then
        return value
      elseif type(value) == "function" and depth > 0 then
        value = seen(value, wanted, depth - 1)
        if value then
          return value
        end
      end
    end
  end

  it("know the events that there are", function()
    local painda = require "painda"
    local server = painda.PPServer { port = 0 }
    local classes = {
      { "server.lua", "Server", getmetatable(server).__index.on },
      { "socket.lua", "Client", require("painda.socket").Socket.on },
      { "namespace.lua", "Namespace", require("painda.namespace").Namespace.on, "OWN_EVENTS" },
      { "namespace.lua", "NamespaceSocket", require("painda.namespace_socket").NamespaceSocket.on },
      { "presence.lua", "Presence", getmetatable(server.presence).__index.on },
      { "typed_room.lua", "TypedRoom", require("painda.typed_room").Room.on },
      { "client.lua", "Scope", require("painda.client.scope").Scope.on },
    }
    server:close()
    for _, class in ipairs(classes) do
      local events = assert(seen(class[3], class[4] or "EVENTS", 4), class[2])
      local known = {}
      for name, value in pairs(events) do
        known[type(name) == "number" and value or name] = true
      end
      assert.same(known, annotated_events(class[1], class[2]), class[2])
    end
  end)
end)
