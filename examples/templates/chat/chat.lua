-- The room: who is in it hears what is said.
--
--   join {name} → ack {history}     say {text} → ack     and everybody: joined {name}, said {name, text}, left {name}
local painda = require "painda"

local _M = { HISTORY = 50, NAME = 24, TEXT = 1000 } -- messages kept, bytes of a name and of a text

local ROOM = "chat"

-- The field of a payload where it is text of 1 to `most` bytes, else nil.
local function text_of(payload, field, most)
  local value = type(payload) == "table" and payload[field]
  return type(value) == "string" and value:find "%S" and #value <= most and value or nil
end

function _M.serve(server, history)
  server:on("join", function(client, payload, ack)
    local name = text_of(payload, "name", _M.NAME)
    if not name or client.data.name then
      return ack(painda.Error(("join once, with a name of 1 to %d bytes"):format(_M.NAME), "BAD_NAME"))
    end
    client.data.name = name
    client:join(ROOM)
    client:to(ROOM):emit("joined", { name = name })
    ack(nil, { history = history })
  end)

  server:on("say", function(client, payload, ack)
    local text = text_of(payload, "text", _M.TEXT)
    if not client.data.name or not text then
      return ack(painda.Error(("join first; a text has 1 to %d bytes"):format(_M.TEXT), "BAD_TEXT"))
    end
    local message = { name = client.data.name, text = text }
    history[#history + 1] = message
    if #history > _M.HISTORY then
      table.remove(history, 1)
    end
    server:to(ROOM):emit("said", message)
    ack()
  end)

  server:on("disconnection", function(client)
    if client.data.name then
      server:to(ROOM):emit("left", { name = client.data.name })
    end
  end)
end

return _M
