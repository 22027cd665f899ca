local support = require "support"

-- Waits for the next of that name from a namespace's handle of a client.
local function next_message(handle, name)
  local payload = support.event(handle, name)
  return payload
end

describe("a namespace", function()
  local server

  before_each(function()
    server = support.server()
  end)

  after_each(function()
    server:close()
  end)

  it("is the same object each time, and \"/\" is the server", function()
    assert.equal(server:of "/admin", server:of "/admin")
    assert.equal(server, server:of "/")
    assert.equal("/admin", server:of("/admin").name)
    assert.equal("namespace /admin", tostring(server:of "/admin"))
  end)

  it("is joined by the first message to it, once", function()
    local admin = server:of "/admin"
    local joined = support.record(admin, "connection")
    local client, socket = support.connect(server)
    assert.equal(0, #joined)
    admin:on("stats", function(msg, ack)
      ack(nil, { msg.type, msg.payload })
    end)
    local handle = client:of "/admin"
    assert.same({ "stats", 1 }, handle:request("stats", 1))
    assert.same({ "stats", 2 }, handle:request("stats", 2))
    assert.equal(1, #joined)
    local inside = joined[1][1]
    assert.equal(socket.id, inside.id)
    assert.equal(socket.data, inside.data)
    assert.equal(socket, inside.client)
    assert.equal(admin, inside.namespace)
    assert.equal("127.0.0.1", inside.handshake.address)
    assert.same({ inside }, admin:getClients())
    client:close()
    support.eventually(function()
      return #admin:getClients() == 0
    end)
  end)

  it("gives its handlers the whole message", function()
    local admin = server:of "/admin"
    local seen = {}
    local function note(name)
      return function(msg, ack, socket)
        seen[#seen + 1] = { name, msg.type, msg.payload, type(ack), socket and socket.id }
      end
    end
    local id
    admin:onAny(note "ns any")
    admin:on("x", note "ns type")
    admin:on("connection", function(socket)
      id = socket.id
      socket:onAny(note "any")
      socket:on("message", note "message")
      socket:on("x", note "type")
    end)
    server:onAny(function()
      seen[#seen + 1] = "the default namespace"
    end)
    local client = support.connect(server)
    client:of("/admin"):emit("x", { 1 })
    support.eventually(function()
      return #seen == 5
    end)
    assert.same({ "ns any", "any", "message", "type", "ns type" }, { seen[1][1], seen[2][1], seen[3][1], seen[4][1],
      seen[5][1] })
    assert.same({ "ns type", "x", { 1 }, "function", id }, seen[5])
    assert.same({ "type", "x", { 1 }, "function" }, seen[4])
    client:close()
  end)

  it("is unknown where nobody made it, and says so", function()
    local client = support.connect(server)
    local errors = support.record(client, "serverError")
    local response, err = client:of("/nope"):request "x"
    assert.is_nil(response)
    assert.equal("NAMESPACE_ERROR", err.code)
    assert.equal("unknown namespace /nope", err.message)
    support.eventually(function()
      return errors[1]
    end)
    assert.equal("NAMESPACE_ERROR", errors[1][1].code)
    client:close()
  end)

  it("sends in its name", function()
    local admin = server:of "/admin"
    admin:on("connection", function(socket)
      socket:emit("hello", "there")
    end)
    local client = support.connect(server)
    local elsewhere = support.record(client, "hello")
    local handle = client:of "/admin"
    handle:emit "join"
    assert.equal("there", next_message(handle, "hello"))
    assert.equal(0, #elsewhere)
    client:close()
  end)
end)
