-- Mistakes in calls that several objects have in common: each is named, at the caller's line, and nothing is sent.

local support = require "support"
local testing = require "painda.testing"

local env, server, peer, client

describe("a call that can't be", function()
  before_each(function()
    env = testing.createTestEnv()
    server = env.server
    peer = env:connect { id = "ann" }
    client = server:getClient "ann"
  end)

  it("with a dot for a colon is said to be one", function()
    local told = "call it with a colon: client:emit(…); it was given a string in the place of its object"
    for _, payload in ipairs { 1, { x = 1 }, "text" } do
      assert.equal(told, support.message(function()
        local _ = client.emit("x", payload)
      end))
    end
    assert.matches("arguments_spec.lua:%d+: call it with a colon", support.raised(function()
      local _ = client.emit { x = 1 }
    end))
    assert.matches("^call it with a colon: client:on%(…%)", support.message(client.on, "x", print))
    assert.matches("^call it with a colon: server:on%(…%)", support.message(server.on, "x", print))
  end)

  it("leaves out of a broadcast what is no client", function()
    local other = support.server()
    for _, of in ipairs { server, server:of "/chat" } do
      for what, wrong in pairs { ["another table"] = { except = "ann" }, ["a number"] = 5 } do
        local told = support.message(of.broadcast, of, { type = "x" }, wrong)
        assert.matches("^[a-z]+:broadcast leaves out a client of the same server, or the id of one, not " .. what, told)
      end
    end
    local _, stranger = support.connect(other)
    assert.matches("of the same server", support.message(server.broadcast, server, { type = "x" }, stranger))
    assert.equal(0, server:broadcast({ type = "x" }, client))
    assert.equal(0, server:broadcast({ type = "x" }, "ann"))
    assert.equal(1, server:broadcast({ type = "x" }, "nobody"))
    assert.equal("server:broadcast takes a message {type = …, payload = …}, not a string",
      support.message(server.broadcast, server, "x", 1))
    other:close()
  end)

  it("has an option behind the message that there is not", function()
    local function send(options)
      return support.message(client.send, client, { type = "x" }, options)
    end
    assert.equal('client:send has no option "volatil", did you mean "volatile"?', send { volatil = true })
    assert.equal("client:send takes a function or {volatile, namespace} after the message, not a number", send(5))
    assert.equal('client:send option "namespace" is a string, not a number', send { namespace = 5 })
    assert.equal('client:send has no option "volatil", did you mean "volatile"?',
      support.message(peer.send, peer, { type = "x" }, { volatil = true }))
  end)

  it("answers a message that asked for nothing", function()
    for _, id in ipairs { "x", -1, 0, 1.5, 0 / 0, false } do
      assert.matches("^client:sendAck takes the __ackId of a message, a whole number above 0, not ",
        support.message(client.sendAck, client, id, "answer"))
      assert.matches("^client:sendAck takes", support.message(peer.sendAck, peer, id, "answer"))
    end
  end)

  it("waits for no time that there is", function()
    for _, of in ipairs { client, peer } do
      for _, ms in ipairs { "soon", -1, 0 / 0, false } do
        assert.matches("^client:request takes milliseconds above 0, not ",
          support.message(of.request, of, "ask", nil, ms))
      end
    end
  end)

  it("registers with a server that is closed", function()
    local closed = support.server()
    local chat = closed:of "/chat"
    closed:close()
    local told = "the server on port " .. closed.port .. " is closed: nothing can be registered with it"
    local function nothing() end
    assert.equal(told, support.message(closed.on, closed, "x", nothing))
    assert.equal(told, support.message(closed.use, closed, nothing))
    assert.equal(told, support.message(closed.of, closed, "/game"))
    assert.equal(told, support.message(chat.on, chat, "x", nothing))
    assert.equal(told, support.message(chat.use, chat, nothing))
    assert.equal(told, support.message(closed.presence.on, closed.presence, "join", nothing))
  end)

  it("names the default namespace, which is no other", function()
    assert.is_true(client:send({ type = "x", payload = 1 }, { namespace = "/" }))
    assert.is_nil(testing.waitForMessage(peer, "x").__ns)
  end)
end)
