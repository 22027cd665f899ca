local painda = require "painda"
local support = require "support"

describe("connection middleware", function()
  local server
  before_each(function()
    server = support.server { middlewareTimeout = 300 }
  end)
  after_each(function()
    server:close()
  end)

  it("is asked in order, and may wait", function()
    local order = {}
    server:use(function(socket, next)
      order[#order + 1] = 1
      painda.sleep(5)
      socket.user = "ann"
      next()
    end)
    server:use(function(socket, next)
      order[#order + 1] = socket.user
      next()
    end)
    local _, socket = support.connect(server)
    assert.same({ 1, "ann" }, order)
    assert.equal("ann", socket.user)
  end)
end)
