-- What came to a client, kept until a test asks for it: so a test may wait for a message that is there already.

local api = require "painda.api"
local wait = require "painda.testing.wait"
local shown = require("painda.options").shown

local setmetatable, type, error, ipairs = setmetatable, type, error, ipairs
local remove, concat = table.remove, table.concat

local MAX = 10000 -- messages kept for a client, the oldest go first

local _M = {}

local inboxes = setmetatable({}, { __mode = "k" }) -- client → { {message, ack}, …, waiting = {waiters} }

-- Begins to keep what comes to the client, a PPClient, a PPVirtualClient or a namespace of one.
function _M.open(client)
  local inbox = inboxes[client]
  if inbox then
    return inbox
  end
  inbox = { waiting = {} }
  inboxes[client] = inbox
  client:on("message", function(message, ack)
    if #inbox == MAX then
      remove(inbox, 1)
    end
    inbox[#inbox + 1] = { message, ack }
    local waiting = inbox.waiting
    inbox.waiting = {}
    for _, waiter in ipairs(waiting) do
      waiter:wake()
    end
  end)
  return inbox
end

local function check_client(what, client)
  if type(client) ~= "table" or type(client.on) ~= "function" then
    error(("%s takes a client first, not a %s"):format(what, type(client)), 3)
  end
end

-- "hello" ×3, "bye"
local function list_types(entries)
  local counts, names = {}, {}
  for _, entry in ipairs(entries) do
    local name = ("%q"):format(entry[1].type)
    if not counts[name] then
      names[#names + 1] = name
    end
    counts[name] = (counts[name] or 0) + 1
  end
  for i, name in ipairs(names) do
    names[i] = counts[name] > 1 and ("%s ×%d"):format(name, counts[name]) or name
  end
  return names[1] and concat(names, ", ") or "nothing"
end

local function matches(message, wanted)
  if type(wanted) == "function" then
    return wanted(message)
  end
  return wanted == nil or message.type == wanted
end

-- The first message of that type which no wait has taken yet, now or when it comes; `wanted` may also be a function of
-- the message, or nil for any. Returns the message and its ack. Raises after `timeout` ms of real time (2,000), and
-- says what came instead.
function _M.waitForMessage(client, wanted, timeout)
  check_client("waitForMessage", client)
  if wanted ~= nil and type(wanted) ~= "string" and type(wanted) ~= "function" then
    error(("waitForMessage takes the type of a message or a function, not a %s"):format(type(wanted)), 2)
  end
  local limit = wait.limit("waitForMessage", timeout, 2)
  local inbox = _M.open(client)
  local found = wait.until_woken(limit, function(waiter)
    for i, entry in ipairs(inbox) do
      if matches(entry[1], wanted) then
        return remove(inbox, i)
      end
    end
    inbox.waiting[#inbox.waiting + 1] = waiter
  end)
  if not found then
    local what = type(wanted) == "string" and ("%q"):format(wanted) or "message that is looked for"
    error(("no %s came within %d ms; what came instead: %s"):format(what, limit, list_types(inbox)), 2)
  end
  return found[1], found[2]
end

local Collected = {}
Collected.__index = Collected

-- Waits until there are n messages, and returns them. Raises after `timeout` ms of real time (2,000).
function Collected:wait(n, timeout)
  if type(n) ~= "number" or n ~= n then
    error(("wait takes how many messages there are to be, not %s"):format(shown(n)), 2)
  end
  local limit = wait.limit("wait", timeout, 2)
  local waiting = self._waiting
  local enough = wait.until_woken(limit, function(waiter)
    if #self >= n then
      return true
    end
    waiting[#waiting + 1] = waiter
  end)
  if not enough then
    error(("%d of %d messages came within %d ms"):format(#self, n, limit), 2)
  end
  return self
end

api.class("list", Collected)

local function grow(client, wanted)
  local waiting = {}
  local metatable = { __index = setmetatable({ _waiting = waiting }, Collected) }
  api.serves(Collected, metatable)
  local list = setmetatable({}, metatable)
  client:on("message", function(message)
    if matches(message, wanted) then
      list[#list + 1] = message
      for i = #waiting, 1, -1 do
        remove(waiting, i):wake()
      end
    end
  end)
  return list
end

-- A list that grows by each message of that type from here on (any, where it is nil); list:wait(n) waits for n. With a
-- number instead of a type: waits for the next so many messages that no wait has taken, and returns them.
function _M.collectMessages(client, wanted, timeout)
  check_client("collectMessages", client)
  local kind = type(wanted)
  if kind ~= "number" then
    if wanted ~= nil and kind ~= "string" and kind ~= "function" then
      error(("collectMessages takes the type of messages, or how many, not a %s"):format(kind), 2)
    end
    return grow(client, wanted)
  end
  local limit = wait.limit("collectMessages", timeout, 2)
  local inbox = _M.open(client)
  local list = wait.until_woken(limit, function(waiter)
    if #inbox >= wanted then
      local taken = {}
      for i = 1, wanted do
        taken[i] = remove(inbox, 1)[1]
      end
      return taken
    end
    inbox.waiting[#inbox.waiting + 1] = waiter
  end)
  if not list then
    error(("%d of %d messages came within %d ms: %s"):format(#inbox, wanted, limit, list_types(inbox)), 2)
  end
  return list
end

return _M
