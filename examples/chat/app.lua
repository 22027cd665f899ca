-- A chat: one room, a page in public/, and the last messages for whoever comes later.
--
-- What the page sends                          What it gets
--   join {name, key}  → ack {name, online, history}   joined {name}, left {name}
--   say {text}        → ack                            message {id, name, text, at}
local painda = require "painda"

local HISTORY = 50 -- messages kept
local NAME, TEXT, KEY = 24, 1000, 64 -- characters at most

local http = painda.HttpServer { port = 3000 }
http:static("/", "public")

local server = painda.PPServer.attachTo(http, { maxPayload = 16384, maxMessagesPerSecond = 10 })

-- Outlives reloads: save this file while people chat, with --watch, and nobody notices.
local chat = painda.state("chat", function()
  return { members = {}, history = painda.array(), started = os.time(), said = 0 }
end)

-- The text between the spaces around it, where it is 1 to `most` characters long; else nil.
local function tidy(text, most)
  local first = type(text) == "string" and text:find "%S"
  if not first then
    return nil
  end
  text = text:match(".*%S", first)
  local _, length = text:gsub("[^\128-\191]", "") -- every character has one byte that does not continue another
  return length <= most and text or nil
end

local function names()
  local list = painda.array()
  for _, member in pairs(chat.members) do
    list[#list + 1] = member.data.name
  end
  table.sort(list)
  return list
end

local function leave(client)
  local place = client.data.name and client.data.name:lower()
  if place and chat.members[place] == client then
    chat.members[place] = nil
    server:emit("left", { name = client.data.name })
  end
end

-- Takes the name for the client. The same page on a new line has the same key, and gets its name back even where the
-- old line is not known to be dead. True, or nil and an error where somebody else has it.
local function take_place(client, name, key)
  local place = name:lower()
  local before = chat.members[place]
  if before and before.data.key ~= key then
    return nil, painda.Error(("%s is here already: choose another name"):format(name), "NAME_TAKEN")
  end
  chat.members[place] = client
  client.data.name, client.data.key = before and before.data.name or name, key
  if before then
    before:close(4009, "this page has a new line")
  else
    server:emit("joined", { name = name })
  end
  return true
end

local function join(client, payload, ack)
  local given = type(payload) == "table" and payload or {}
  local name, key = tidy(given.name, NAME), tidy(given.key, KEY)
  if not name or name:find "%c" or not key then
    return ack(painda.Error(("a name has 1 to %d characters"):format(NAME), "BAD_NAME"))
  end
  if client.data.name then
    return ack(painda.Error(("you are %s already"):format(client.data.name), "BAD_NAME"))
  end
  local ok, err = take_place(client, name, key)
  if not ok then
    return ack(err)
  end
  ack(nil, { name = client.data.name, online = names(), history = chat.history })
end

local function say(client, payload, ack)
  local text = tidy(type(payload) == "table" and payload.text, TEXT)
  if not client.data.name then
    return ack(painda.Error("join first", "NOT_JOINED"))
  end
  if not text then
    return ack(painda.Error(("a message has 1 to %d characters"):format(TEXT), "BAD_TEXT"))
  end
  chat.said = chat.said + 1
  local id = ("%x-%d"):format(chat.started, chat.said)
  local message = { id = id, name = client.data.name, text = text, at = os.time() }
  chat.history[#chat.history + 1] = message
  if #chat.history > HISTORY then
    table.remove(chat.history, 1)
  end
  server:emit("message", message)
  ack()
end

server:on("join", join)
server:on("say", say)
server:on("disconnection", leave)
