-- Run with: painda test
local testing = require "painda.testing"
local greeting = require "greeting"

describe("a greeting", function()
  local env

  before_each(function()
    env = testing.createTestEnv()
    greeting.serve(env.server)
  end)

  it("welcomes who comes", function()
    assert.same({ clients = 1 }, testing.waitForMessage(env.client, "welcome").payload)
  end)

  it("answers with the name", function()
    assert.equal("Hello, Ann", env.client:request("hello", "Ann"))
  end)

  it("refuses what is no name", function()
    for _, name in ipairs { "", 5, {} } do
      assert.equal("BAD_NAME", select(2, env.client:request("hello", name)).code)
    end
  end)
end)
