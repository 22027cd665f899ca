local painda = require "painda"
local Error = require "painda.error"

describe("an error", function()
  it("has a message and a code, and reads as its message", function()
    local err = painda.Error("No token", "AUTH_ERROR")
    assert.equal("No token", err.message)
    assert.equal("AUTH_ERROR", err.code)
    assert.equal("No token", tostring(err))
  end)

  it("is a HANDLER_ERROR where nothing else was said", function()
    assert.equal("HANDLER_ERROR", painda.Error("x").code)
  end)

  it("takes any value as its message", function()
    assert.equal("nil", painda.Error(nil).message)
    assert.equal("12", painda.Error(12).message)
  end)

  it("is known from other tables", function()
    assert.is_true(Error.is(painda.Error "x"))
    assert.is_false(Error.is { message = "x", code = "y" })
    assert.is_false(Error.is "x")
    assert.is_false(Error.is(nil))
  end)
end)

describe("an error made of something", function()
  it("is the error itself where it is one", function()
    local err = painda.Error("x", "AUTH_ERROR")
    assert.equal(err, Error.from(err, "TIMEOUT_ERROR"))
  end)

  it("has the text, and the code that is given", function()
    local err = Error.from("broken", "TRANSPORT_ERROR")
    assert.is_true(Error.is(err))
    assert.equal("broken", err.message)
    assert.equal("TRANSPORT_ERROR", err.code)
  end)

  it("takes the message and the code of a table", function()
    local err = Error.from({ message = "no", code = "MINE" }, "TRANSPORT_ERROR")
    assert.equal("no", err.message)
    assert.equal("MINE", err.code)
    assert.equal("TRANSPORT_ERROR", Error.from({ message = "no" }, "TRANSPORT_ERROR").code)
  end)

  it("shows what is neither", function()
    assert.equal("nil", Error.from(nil).message)
    assert.equal("false", Error.from(false).message)
    assert.matches("^table: ", Error.from({}).message)
  end)
end)
