-- Payloads that go back and forth often enough for the short cut of flat tables to be taken, beside those that it has
-- to leave to the general way: what arrives is what was sent.

local painda = require "painda"
local flat = require "painda.flat"
local support = require "support"

local SEED = tonumber(os.getenv "PP_SEED") or os.time()

local function random_text()
  local parts = { "a", "Ann", "\"", "\\", "\n", "é", "日本", "\127", ("x"):rep(40), "" }
  local out = {}
  for i = 1, math.random(0, 4) do
    out[i] = parts[math.random(#parts)]
  end
  return table.concat(out)
end

local VALUES = {
  function()
    return math.random(-1000, 1000)
  end,
  function()
    return (math.random() - 0.5) * 10 ^ math.random(-300, 300)
  end,
  random_text,
  function()
    return math.random() < 0.5
  end,
  function()
    return painda.null
  end,
  function()
    return { x = math.random(9) }
  end,
}

local KEYS = { "x", "y", "name", "a key", "é", "q\"", "\\", ("k"):rep(60), "__ns", "type", "payload", "end", "1" }

local function random_table(kinds, most)
  local t = {}
  for _ = 1, math.random(0, most) do
    t[KEYS[math.random(#KEYS)]] = VALUES[math.random(kinds)]()
  end
  return t
end

describe("a flat payload", function()
  local server, client, back

  before_each(function()
    back = {}
    server = support.server { maxBackpressure = 64 * 1024 * 1024 }
    server:on("connection", function(socket)
      socket:on("echo", function(payload)
        socket:emit("echo", payload)
      end)
      socket:on("types", function()
        for type = 1, 600 do
          for i = 1, 20 do
            socket:emit("type" .. type, { ["key" .. type] = i, x = type })
          end
        end
      end)
      socket:on("message", function() end)
    end)
    client = painda.PPClient { url = support.url(server), reconnect = false }
    client:on("echo", function(payload)
      back[#back + 1] = payload
    end)
    support.event(client, "connect")
  end)

  after_each(function()
    client:close()
    server:close()
  end)

  local function there_and_back(sent)
    back = {}
    for _, payload in ipairs(sent) do
      client:emit("echo", payload)
    end
    support.eventually(function()
      return #back == #sent
    end, "all answers")
    assert.same(sent, back)
  end

  it("comes back as it was, whatever its keys and values", function()
    math.randomseed(SEED)
    for _ = 1, 20 do
      local sent = {}
      for i = 1, 200 do
        sent[i] = random_table(#VALUES, 5)
      end
      there_and_back(sent)
    end
  end)

  it("comes back as it was where all are alike", function()
    math.randomseed(SEED)
    for kinds = 1, #VALUES do
      local sent = {}
      for i = 1, 400 do
        sent[i] = { x = VALUES[kinds](), y = VALUES[math.min(kinds, 4)](), name = random_text() }
      end
      there_and_back(sent)
    end
  end)

  it("may change the kind of a value at any time", function()
    local sent = {}
    for i = 1, 1000 do
      sent[i] = { x = i % 300 == 0 and "text" or i, y = i > 500 and true or 1.5 }
    end
    there_and_back(sent)
  end)

  it("may have more fields than are laid down, or more than the short cut takes", function()
    for fields = 10, 14 do
      local sent = {}
      for i = 1, 200 do
        sent[i] = {}
        for field = 1, fields do
          sent[i]["field" .. field] = i * field
        end
      end
      there_and_back(sent)
    end
  end)

  it("may have keys that never come again", function()
    local sent = {}
    for i = 1, 2000 do
      sent[i] = { ["key" .. i] = i, x = 1 }
    end
    there_and_back(sent)
  end)

  it("may be of more types, with more keys, than are remembered", function()
    local count = 0
    client:onAny(function(mtype, payload)
      local type = tonumber(mtype:match "^type(%d+)$")
      if type then
        assert.same({ ["key" .. type] = count % 20 + 1, x = math.floor(count / 20) + 1 }, payload)
        count = count + 1
      end
    end)
    client:emit("types", {})
    support.eventually(function()
      return count == 600 * 20
    end, "all messages")
  end)
end)

describe("what is not flat", function()
  it("is left to the general way", function()
    local ref = newproxy()
    assert.is_false(flat.send(ref, "x", 1))
    assert.is_false(flat.send(ref, "x", nil))
    assert.is_false(flat.send(ref, 1, {}))
    assert.is_false(flat.send(ref, "x", painda.array {}))
    assert.is_false(flat.relay(ref, ref))
    assert.is_false(flat.relay(ref, {}))
  end)

  it("is refused with the same words however often it is tried", function()
    local server, texts = support.server(), {}
    server:on("connection", function(socket)
      for i = 1, 200 do
        for _, payload in ipairs { { x = 0 / 0 }, { x = math.huge }, { x = "\255" }, { x = print } } do
          local _, err = pcall(socket.emit, socket, "m", payload)
          texts[tostring(err)] = i
        end
      end
      texts.done = true
    end)
    local client = painda.PPClient { url = support.url(server), reconnect = false }
    support.eventually(function()
      return texts.done
    end, "the handler's end")
    client:close()
    server:close()
    texts.done = nil
    local count = 0
    for text in pairs(texts) do
      count = count + 1
      assert.matches("payload%.x: ", text)
    end
    assert.equal(4, count)
  end)
end)
