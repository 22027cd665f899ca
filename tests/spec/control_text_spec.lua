-- What may be written to a terminal, whoever sent it; and values as the console shows them.

local painda = require "painda"
local harmless = require("painda.control.text").harmless
local place = require "painda.control.place"
local show = require("painda.console.show").show

describe("text for a terminal", function()
  it("keeps what is harmless", function()
    for _, text in ipairs { "", "plain", "é ü ß", "日本", "😀", "\u{10FFFF}", "\u{A0}", "\\n" } do
      assert.equal(text, harmless(text))
    end
  end)

  it("spells out what a terminal would obey, and what is no UTF-8", function()
    assert.equal("\\027[2J", harmless "\27[2J")
    assert.equal("a\\nb\\tc\\r\\000\\127", harmless "a\nb\tc\r\0\127")
    assert.equal("\\194\\155", harmless "\194\155") -- C1's CSI
    assert.equal("\\255é\\195", harmless "\255é\195")
    assert.equal("\\192\\128 \\237\\160\\128 \\244\\144\\128\\128", harmless "\192\128 \237\160\128 \244\144\128\128")
    assert.equal("a\nb\\027", harmless("a\nb\27", "[\n\t]"))
  end)

  it("takes time in proportion", function()
    local long = ("\255"):rep(2e5)
    assert.equal(#long * 4, #harmless(long))
  end)
end)

describe("a value in the console", function()
  it("is shown as it would be written", function()
    assert.equal("nil", show(nil))
    assert.equal('"a\\"b\\\\\\n"', show 'a"b\\\n')
    assert.equal("{}", show {})
    assert.equal("{ 1, 2, [10] = 3, [\"a b\"] = 1, [\"end\"] = 2, name = null }",
      show { 1, 2, [10] = 3, name = painda.null, ["a b"] = 1, ["end"] = 2 })
    assert.equal("{ { x = true } }", show { { x = true } })
  end)

  it("shows a number with the fewest digits that are read as the same", function()
    for text, n in pairs { ["9007199254740992"] = 2 ^ 53, ["0.1"] = 0.1, ["0.30000000000000004"] = 0.1 + 0.2,
      ["-7"] = -7,
      ["1e+300"] = 1e300,
      ["inf"] = math.huge, ["1783627254740993"] = 1783627254740993 } do
      assert.equal(text, show(n))
    end
    assert.matches("nan", show(0 / 0))
    assert.equal("{ [9007199254740992] = 1 }", show { [2 ^ 53] = 1 })
  end)

  it("says what it is where there is nothing to write", function()
    assert.matches("^<function tests/spec/control_text_spec.lua:%d+>$", show(function() end))
    assert.equal("<function>", show(print))
    assert.matches("^<thread", "<" .. show(coroutine.create(print)))
    local t = {}
    t.t = t
    assert.equal("{ t = <itself> }", show(t))
    assert.equal("{ <its __tostring fails> }", show { setmetatable({}, { __tostring = function()
      error "no"
    end }) })
  end)

  it("has an end", function()
    local deep = {}
    for _ = 1, 1000 do
      deep = { deep }
    end
    assert.equal("{ { { { { { {…} } } } } } }", show(deep))
    local wide = {}
    for i = 1, 1e5 do
      wide[i] = ("x"):rep(5000)
    end
    assert.is_true(#show(wide) < 80000)
    assert.is_true(#show(("x"):rep(1e6)) < 3000)
  end)

  it("shows declared states by their fields", function()
    local World = painda.schema { n = "uint8", names = painda.map("string", "string") }
    assert.equal('{ n = 3, names = { a = "Ann" } }', show(World:new { n = 3, names = { a = "Ann" } }))
  end)
end)

describe("a control socket's name", function()
  it("says which application", function()
    for path, name in pairs {
      ["/srv/arena.lua"] = "arena",
      ["/srv/arena/app.lua"] = "arena",
      ["/srv/arena/main.lua"] = "arena",
      ["app.lua"] = "app",
      ["/srv/a b/chat é.lua"] = "chat___",
      ["/x/" .. ("y"):rep(200) .. ".lua"] = ("y"):rep(32),
    } do
      assert.equal(name, place.name_of(path))
    end
  end)
end)
