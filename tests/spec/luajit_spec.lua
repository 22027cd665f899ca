local luajit = require "painda.luajit"

describe("the LuaJIT that is linked", function()
  it("is one that can be relied on", function()
    assert.is_nil(luajit.own_fault())
  end)

  it("is warned of where it is the one that may crash", function()
    assert.matches("install libluajit2", luajit.fault("LuaJIT 2.1.0-beta3", false))
    assert.is_nil(luajit.fault("LuaJIT 2.1.0-beta3", true))
    assert.is_nil(luajit.fault("LuaJIT 2.1.1700000000", false))
  end)
end)
