-- Listeners for what is nearly an event.

local painda = require "painda"
local log = require "painda.log"
local slips = require "painda.slips"
local support = require "support"

local EVENTS = { "connection", "disconnection", "error", "close" }

describe("a listener's name", function()
  it("is taken for a slip where it is nearly that of a long event, or another side's", function()
    for name, meant in pairs {
      conection = "connection",
      Connection = "connection",
      connnection = "connection",
      disconect = "disconnection",
      disconnectin = "disconnection",
      connect = "connection",
      disconnect = "disconnection",
    } do
      local found = slips.meant("server", name, EVENTS)
      assert.equal(name == "disconect" and "nil" or meant, tostring(found), name)
    end
    assert.equal("disconnect", slips.meant("client", "disconnection", { "disconnect", "message" }))
    assert.equal("open", slips.meant("peer", "opne", { "open", "message" }))
    assert.equal("close", slips.meant("peer", "colse", { "open", "close" }))
    assert.is_nil(slips.meant("peer", "poem", { "open", "close" }))
  end)

  it("is a type of message otherwise", function()
    for _, name in ipairs { "connections", "connection2", "errors", "closed", "move", "", "connection.lost", "x" } do
      assert.is_nil(slips.meant("server", name, EVENTS), name)
    end
  end)

  it("is warned of once, with the line that listens", function()
    local warned, warn = {}, log.warn
    log.warn = function(text)
      warned[#warned + 1] = text
    end
    local server = support.server()
    for _ = 1, 3 do
      server:on("disconnecion", function() end)
    end
    server:once("disconnecion", function() end)
    log.warn = warn
    assert.equal(1, #warned)
    assert.matches('slips_spec.lua:%d+: server:on%("disconnecion", …%) listens to a type of message', warned[1])
    assert.matches('did you mean the event "disconnection"%?$', warned[1])
    server:close()
  end)

  it("is warned of for clients too", function()
    local warned, warn = {}, log.warn
    log.warn = function(text)
      warned[#warned + 1] = text
    end
    local server, done = support.server(), false
    server:on("connection", function(socket)
      socket:on("disconect", function() end)
      done = true
    end)
    local client = painda.PPClient { url = support.url(server), reconnect = false }
    support.eventually(function()
      return done
    end, "the connection")
    log.warn = warn
    assert.matches('client:on%("disconect", …%) .* the event "disconnect"%?$', warned[1])
    client:close()
    server:close()
  end)
end)
