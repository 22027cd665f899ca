-- Run with: painda test
local painda = require "painda"
local testing = require "painda.testing"
local chat = require "chat"

local waitForMessage = testing.waitForMessage

describe("a chat", function()
  local env

  before_each(function()
    env = testing.createTestEnv()
    chat.serve(env.server, painda.array())
  end)

  local function come(name)
    local client = env:connect()
    assert(client:request("join", { name = name }))
    return client
  end

  it("tells everybody what is said", function()
    local ann, bob = come "Ann", come "Bob"
    assert.same({ name = "Bob" }, waitForMessage(ann, "joined").payload)
    bob:request("say", { text = "hello" })
    assert.same({ name = "Bob", text = "hello" }, waitForMessage(ann, "said").payload)
    assert.same({ name = "Bob", text = "hello" }, waitForMessage(bob, "said").payload)
  end)

  it("keeps the last messages for who comes later", function()
    local ann = come "Ann"
    for i = 1, chat.HISTORY + 1 do
      ann:request("say", { text = "message " .. i })
    end
    local history = env:connect():request("join", { name = "Bob" }).history
    assert.equal(chat.HISTORY, #history)
    assert.equal("message 2", history[1].text)
  end)

  it("tells who has left", function()
    local ann, bob = come "Ann", come "Bob"
    bob:close()
    assert.same({ name = "Bob" }, waitForMessage(ann, "left").payload)
  end)

  it("refuses what is no name, no text, or too early", function()
    local client = env:connect()
    assert.equal("BAD_TEXT", select(2, client:request("say", { text = "hello" })).code)
    for _, name in ipairs { "", "  ", ("x"):rep(chat.NAME + 1), 5 } do
      assert.equal("BAD_NAME", select(2, client:request("join", { name = name })).code)
    end
    assert(client:request("join", { name = "Ann" }))
    assert.equal("BAD_NAME", select(2, client:request("join", { name = "Ann" })).code)
    assert.equal("BAD_TEXT", select(2, client:request("say", { text = ("x"):rep(chat.TEXT + 1) })).code)
  end)
end)
