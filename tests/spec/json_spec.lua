local painda = require "painda"
local json = painda.json
local null, array = painda.null, painda.array

describe("JSON", function()
  it("reads every kind of value", function()
    local value = assert(json.decode '{"a":[1,-2.5e3,true,false,null,"x"],"b":{}}')
    assert.same({ 1, -2500, true, false, null, "x" }, value.a)
    assert.same({}, value.b)
    assert.equal(null, json.decode "null")
    assert.equal("é\n\"/", json.decode [["\u00e9\n\"\/"]])
    assert.equal("😀", json.decode [["\ud83d\ude00"]])
  end)

  it("keeps null and nothing apart", function()
    local value = assert(json.decode '{"a":null}')
    assert.equal(null, value.a)
    assert.is_nil(value.b)
    assert.equal('{"a":null}', json.encode { a = null })
    assert.equal("null", json.encode(null))
    assert.equal("null", json.encode(nil))
  end)

  it("keeps arrays and objects apart, empty ones too", function()
    for _, text in ipairs { "[]", "{}", '{"a":[]}', "[[],{}]", "[1]", "[null]", '{"1":2}' } do
      assert.equal(text, json.encode((assert(json.decode(text)))))
    end
    assert.equal("[]", json.encode(array {}))
    assert.equal("{}", json.encode {})
    assert.equal("[1,2]", json.encode { 1, 2 })
  end)

  it("marks no table that is an object of something else", function()
    local list = array { 1 }
    assert.equal(list, array(list))
    local schema = painda.schema { n = "uint8" }
    local fine, message = pcall(array, schema)
    assert.is_false(fine)
    assert.match("a table without a metatable expected", message)
    assert.equal(0, schema:new().n)
  end)

  it("keeps the mark of an array that was emptied", function()
    local list = assert(json.decode "[1,2]")
    list[1], list[2] = nil, nil
    assert.equal("[]", json.encode(list))
  end)

  it("writes numbers so that they are read back the same", function()
    for _, number in ipairs { 0, 1, -1, 0.1, 1 / 3, 1e21, 1e-7, 2 ^ 53, -2 ^ 53 + 1, 1.7976931348623157e308, 5e-324 } do
      assert.equal(number, json.decode((assert(json.encode(number)))))
    end
    assert.equal("3", json.encode(3.0))
    assert.equal("9007199254740993", "9007199254740993") -- beyond 2^53 integers are doubles
    assert.equal(2 ^ 53, json.decode "9007199254740992")
  end)

  local bad = {
    "", " ", "{", "[1,]", "{,}", '{"a"}', "{a:1}", "'a'", "01", "1.", ".5", "+1", "1e", "nul", "truee", "[1] 2", "NaN",
    '"\\x"', '"\n"', '"\\ud800"', '"\xff"', "[1 2]", '{"a":1,}', "1e999", "/**/1", "\239\187\1911",
  }
  for _, text in ipairs(bad) do
    it(("refuses %q"):format(text), function()
      local value, err = json.decode(text)
      assert.is_nil(value)
      assert.is_string(err)
    end)
  end

  it("refuses what is nested too deeply, both ways", function()
    assert.is_truthy(json.decode(("["):rep(64) .. ("]"):rep(64)))
    local value, err = json.decode(("["):rep(65) .. ("]"):rep(65))
    assert.is_nil(value)
    assert.is_string(err)
    local deep = {}
    for _ = 1, 64 do
      deep = { deep }
    end
    local text, why = json.encode(deep)
    assert.is_nil(text)
    assert.is_string(why)
  end)

  local function refused(value)
    local text, err = json.encode(value)
    assert.is_nil(text)
    return err
  end

  it("names the path to what can't be written", function()
    assert.matches("players[2].score", refused { players = array { { score = 1 }, { score = 0 / 0 } } }, 1, true)
    assert.matches("a.b", refused { a = { b = print } }, 1, true)
    assert.matches("a.b", refused { a = { b = math.huge } }, 1, true)
    assert.matches("name", refused { name = "\xff" }, 1, true)
    assert.matches("co", refused { co = coroutine.create(print) }, 1, true)
  end)

  it("refuses a table that holds itself", function()
    local loop = {}
    loop.loop = loop
    assert.is_string(refused(loop))
  end)

  it("refuses an array with a hole that is an object too", function()
    assert.is_string(refused { 1, 2, x = 3 })
    assert.is_string(refused { [{}] = 1 })
  end)

  it("goes on after a refusal", function()
    refused { a = { b = print } }
    assert.equal('{"a":1}', json.encode { a = 1 })
    json.decode "[1,"
    assert.same({ 1 }, json.decode "[1]")
  end)

  it("raises where the argument is no text", function()
    assert.has_error(function()
      json.decode {}
    end)
    assert.has_error(function()
      json.decode()
    end)
    assert.has_error(function()
      json.encode()
    end)
    assert.has_error(function()
      array(1)
    end)
  end)
end)
