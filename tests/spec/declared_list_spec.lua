-- Lists of declared states: items that come and go at any place.
local painda = require "painda"
local message_of = require("support").message

describe("a list", function()
  it("grows and shrinks at its end", function()
    local schema = painda.schema { scores = painda.list { who = painda.text { max = 8 }, points = "varint" } }
    local state = schema:new()
    local scores = state.scores
    scores[1] = { who = "Ann", points = 2 ^ 53 - 1 }
    scores[#scores + 1] = { who = "Bob" }
    assert.equal(2, #scores)
    scores[2].points = 5
    assert.equal(5, scores[2].points)
    scores[#scores] = nil
    assert.equal(1, #scores)
    assert.is_nil(scores[2])
    assert.is_nil(scores[0])
    assert.is_nil(scores.length)
    local seen = {}
    for i, score in ipairs(scores) do
      seen[i] = score.who
    end
    assert.same({ "Ann" }, seen)
  end)

  it("takes items in, and gives them, at any place", function()
    local schema = painda.schema { row = painda.list "uint16", scores = painda.list { who = "string" } }
    local state = schema:new { row = { 1, 2, 3 } }
    local scores = state.scores
    state.row:insert(1, 7)
    state.row:insert(5, 8)
    state.row:insert(9)
    assert.equal(2, state.row:remove(3))
    assert.equal(9, state.row:remove())
    assert.same({ 7, 1, 3, 8 }, schema:toTable(state).row)
    scores:insert({ who = "Bob" })
    local bob = scores[1]
    scores:insert(1, { who = "Ann" })
    bob.who = "Bert" -- who holds an item holds it wherever it moves
    assert.equal("Bert", scores[2].who)
    assert.equal("scores.2", tostring(bob):match "scores%.%d")
    local ann = scores:remove(1)
    assert.equal("Ann", ann.who)
    ann.who = "nobody"
    assert.same({ { who = "Bert" } }, schema:toTable(state).scores)
    scores:remove(1)
    assert.is_nil(scores:remove())
  end)

  it("does what table.insert and table.remove do to a table", function()
    local schema = painda.schema { row = painda.list("uint16", { max = 20 }) }
    local state, copy, wanted = schema:new(), schema:new(), {}
    for step = 1, 400 do
      local place = step * 7 % (#wanted + 1) + 1
      if #wanted < 20 and step % 5 < 3 then
        table.insert(wanted, place, step)
        state.row:insert(place, step)
      elseif #wanted > 0 then
        place = math.min(place, #wanted)
        assert.equal(table.remove(wanted, place), state.row:remove(place))
      end
      assert.same(wanted, schema:toTable(state).row)
      if step % 3 == 0 then
        local delta = schema:delta(state)
        assert.is_true(delta == nil or schema:apply(copy, delta))
        assert.same(wanted, schema:toTable(copy).row)
      end
    end
  end)

  it("is sent what was put in, and not what stands behind it", function()
    local schema = painda.schema { row = painda.list "uint32" }
    local state = schema:new()
    for i = 1, 100 do
      state.row:insert(i * 1000)
    end
    schema:delta(state)
    state.row:insert(1, 5)
    local delta, text = schema:delta(state, "both")
    assert.is_true(#delta < 12, #delta)
    assert.equal('{"row":{"__pp_array_ops":[{"op":"splice","index":0,"deleteCount":0,"items":[5]}]}}', text)
    state.row:remove(50)
    delta, text = schema:delta(state, "both")
    assert.is_true(#delta < 12, #delta)
    assert.equal('{"row":{"__pp_array_ops":[{"op":"splice","index":49,"deleteCount":1,"items":[]}]}}', text)
  end)

  it("keeps who holds a removed item apart from what comes in its place", function()
    local schema = painda.schema { scores = painda.list { n = "uint8", who = "string", tags = painda.list "uint8" } }
    local state, copy = schema:new { scores = { { n = 1, who = "a", tags = { 1, 2 } } } }, schema:new()
    schema:load(copy, schema:snapshot(state))
    local old = state.scores[1]
    local tags = old.tags
    state.scores[1] = nil
    state.scores[1] = { n = 2, tags = { 1, 2, 3 } }
    old.n = 9
    tags[1] = 7
    assert.same({ { n = 2, who = "", tags = { 1, 2, 3 } } }, schema:toTable(state).scores)
    assert.same({ 9, "a" }, { old.n, old.who })
    assert.is_true(schema:apply(copy, schema:delta(state)))
    assert.same(schema:toTable(state), schema:toTable(copy))
  end)

  it("is again what it was after a revert", function()
    local schema = painda.schema { scores = painda.list { who = "string" } }
    local state = schema:new { scores = { { who = "a" }, { who = "b" }, { who = "c" } } }
    state.scores:remove(1)
    state.scores:insert(2, { who = "x" })
    state.scores[1].who = "y"
    assert.equal('{"scores":[{"who":"a"},{"who":"b"},{"who":"c"}]}', schema:json(state))
    schema:revert(state)
    assert.same({ { who = "a" }, { who = "b" }, { who = "c" } }, schema:toTable(state).scores)
    assert.is_nil(schema:delta(state))
  end)

  it("says what it does not take", function()
    local schema = painda.schema { row = painda.list("uint8", { max = 3 }) }
    local row = schema:new({ row = { 1, 2 } }).row
    assert.match("^row.1: a whole number from 0 to 255 expected, not 256",
      message_of(function() row:insert(1, 256) end))
    assert.match("^row: insert was given 4: a place is 1 to 3",
      message_of(function() row:insert(4, 1) end))
    assert.match("row: remove was given 3: a place is 1 to 2", message_of(function() row:remove(3) end))
    assert.match('row: remove was given "1": a place is 1 to 2', message_of(function() row:remove("1") end))
    assert.match("^call it with a colon: list:insert", message_of(function() row.insert(1, 2) end))
    local _, positioned = pcall(function() row:insert(4, 1) end)
    assert.match("declared_list_spec.lua:%d+: row: insert", positioned)
    row:insert(3)
    assert.match("^row: holds at most 3 items", message_of(function() row:insert(1, 1) end))
    assert.match("row.4: a whole number from 0 to 255 expected, not nil", message_of(function() row:insert(nil) end))
    local list = {}
    for i = 1, 3 do list[i] = row[i] end
    assert.same({ 1, 2, 3 }, list)
  end)
end)
