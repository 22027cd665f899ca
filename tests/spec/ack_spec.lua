local painda = require "painda"
local ack = require "painda.ack"
local Error = require "painda.error"
local task = require "painda.task"
local support = require "support"
local testing = require "painda.testing"

describe("open questions", function()
  local answers

  local function note(err, response)
    answers[#answers + 1] = { err, response }
  end

  before_each(function()
    answers = {}
  end)

  it("are numbered from 1, and answered once", function()
    local pending = ack.pending(10)
    assert.equal(1, pending:ask(note, 1000))
    assert.equal(2, pending:ask(note, 1000))
    assert.is_true(pending:answer(2, nil, "b"))
    assert.is_false(pending:answer(2, nil, "again"))
    assert.is_true(pending:answer(1, nil, "a"))
    assert.same({ { nil, "b" }, { nil, "a" } }, answers)
    assert.equal(0, pending.count)
  end)

  it("end with TIMEOUT_ERROR, and late answers are ignored", function()
    local clock = testing.createTestEnv().clock
    local pending = ack.pending(10)
    local id = pending:ask(note, 10000)
    clock:advance(9999)
    assert.equal(0, #answers)
    clock:advance(1)
    assert.equal(1, #answers)
    assert.equal("TIMEOUT_ERROR", answers[1][1].code)
    assert.equal("no ack within 10000 ms", answers[1][1].message)
    assert.is_false(pending:answer(id, nil, "late"))
    assert.equal(1, #answers)
  end)

  it("are bounded", function()
    local pending = ack.pending(2)
    pending:ask(note, 1000)
    local id = pending:ask(note, 1000)
    assert.matches("more than 2 acks are pending", support.raised(pending.ask, pending, note, 1000), 1, true)
    pending:answer(id)
    assert.equal(3, pending:ask(note, 1000))
    pending:fail("end", "CONNECTION_ERROR")
  end)

  it("have a callback", function()
    assert.matches("is a function, not a nil", support.raised(ack.pending(1).ask, ack.pending(1), nil, 10), 1, true)
  end)

  it("all fail where the connection is lost, also those that are asked meanwhile", function()
    local pending = ack.pending(10)
    local asked = false
    pending:ask(function(err)
      note(err)
      if not asked then
        asked = true
        pending:ask(note, 1000)
      end
    end, 1000)
    pending:ask(note, 1000)
    pending:fail("gone", "CONNECTION_ERROR")
    assert.equal(3, #answers)
    for _, answer in ipairs(answers) do
      assert.equal("CONNECTION_ERROR", answer[1].code)
    end
    assert.equal(0, pending.count)
  end)

  it("may wait in their callback", function()
    local pending, done = ack.pending(1), task.waiter()
    local id = pending:ask(function(_, response)
      painda.sleep(1)
      done:wake(response)
    end, 1000)
    pending:answer(id, nil, "x")
    assert.equal("x", (done:wait(1000)))
  end)
end)

describe("a __pp_ack from a peer", function()
  local pending, got

  before_each(function()
    pending, got = ack.pending(10), nil
    pending:ask(function(...)
      got = { n = select("#", ...), ... }
    end, 1000)
  end)

  after_each(function()
    pending:fail("end", "CONNECTION_ERROR")
  end)

  it("answers with its first argument", function()
    assert.is_true(pending:on_ack { ackId = 1, args = { "x", "y" } })
    assert.equal("x", got[2])
    assert.is_nil(got[1])
  end)

  it("answers with null as null, and with nothing as nil", function()
    assert.is_true(pending:on_ack { ackId = 1, args = { painda.null } })
    assert.equal(painda.null, got[2])
  end)

  it("without arguments answers with nil", function()
    assert.is_true(pending:on_ack { ackId = 1 })
    assert.is_nil(got[1])
    assert.is_nil(got[2])
  end)

  it("with an error fails", function()
    assert.is_true(pending:on_ack { ackId = 1, args = {}, error = { message = "no", code = "AUTH_ERROR" } })
    assert.is_true(Error.is(got[1]))
    assert.equal("no", got[1].message)
    assert.equal("AUTH_ERROR", got[1].code)
  end)

  it("with an error of null succeeds", function()
    assert.is_true(pending:on_ack { ackId = 1, args = { 1 }, error = painda.null })
    assert.equal(1, got[2])
  end)

  it("that is none is ignored", function()
    for _, payload in ipairs { 1, "x", painda.null, {} } do
      assert.is_false(pending:on_ack(payload))
    end
    for _, id in ipairs { 2, "1", {}, 0 / 0, 1.5, -1, painda.null } do
      assert.is_false(pending:on_ack { ackId = id })
    end
    assert.is_false(pending:on_ack(nil))
    assert.is_nil(got)
  end)

  it("answers whatever is in the place of its arguments or its error", function()
    assert.is_true(pending:on_ack { ackId = 1, args = "x", error = "y" })
    assert.equal(2, got.n)
  end)
end)

describe("the payload of an ack", function()
  it("holds the response", function()
    assert.same({ ackId = 3, args = { "x" } }, ack.payload(3, nil, "x"))
    assert.same({ ackId = 3, args = { false } }, ack.payload(3, nil, false))
    assert.equal('[null]', painda.json.encode(ack.payload(3).args))
  end)

  it("holds the error and no arguments", function()
    local text = painda.json.encode(ack.payload(3, painda.Error("no", "AUTH_ERROR")).error)
    assert.same({ message = "no", code = "AUTH_ERROR" }, painda.json.decode(text))
    assert.equal("[]", painda.json.encode(ack.payload(3, "no").args))
    assert.equal("HANDLER_ERROR", ack.payload(3, "no").error.code)
  end)
end)

describe("asking and waiting", function()
  it("returns the response, or nil and the error", function()
    local function answer(...)
      local answered = { ... }
      return ack.wait("x:request", "x", function(callback)
        painda.after(1, function()
          callback(unpack(answered, 1, 2))
        end)
        return true
      end)
    end
    assert.equal("x", (answer(nil, "x")))
    assert.is_false((answer(nil, false)))
    local value, err = answer(painda.Error("no", "AUTH_ERROR"))
    assert.is_nil(value)
    assert.equal("AUTH_ERROR", err.code)
  end)

  it("does not wait for what could not be asked", function()
    local value, err = ack.wait("x:request", "x", function()
      return nil, "closed", "CONNECTION_ERROR"
    end)
    assert.is_nil(value)
    assert.equal("closed", err.message)
    assert.equal("CONNECTION_ERROR", err.code)
  end)
end)

describe("acks between a server and a client", function()
  local server, client, socket

  before_each(function()
    server = support.server { ackTimeout = 2000, maxPendingAcks = 4 }
    client, socket = support.connect(server)
  end)

  after_each(function()
    client:close()
    server:close()
  end)

  it("carry a response each way", function()
    server:on("add", function(_, p, answer)
      answer(nil, p.a + p.b)
    end)
    client:on("mul", function(p, answer)
      answer(nil, p.a * p.b)
    end)
    assert.equal(5, client:request("add", { a = 2, b = 3 }))
    assert.equal(6, socket:request("mul", { a = 2, b = 3 }))
  end)

  it("carry an error each way", function()
    server:on("fail", function(_, _, answer)
      answer(painda.Error("no", "ROOM_ERROR"))
    end)
    client:on("fail", function(_, answer)
      answer "plain text"
    end)
    local value, err = client:request "fail"
    assert.is_nil(value)
    assert.equal("ROOM_ERROR", err.code)
    value, err = socket:request "fail"
    assert.is_nil(value)
    assert.equal("plain text", err.message)
    assert.equal("HANDLER_ERROR", err.code)
  end)

  it("take the first answer only", function()
    server:on("twice", function(_, _, answer)
      answer(nil, 1)
      answer(nil, 2)
      answer "no"
    end)
    assert.equal(1, client:request "twice")
    assert.equal(1, client:request "twice")
  end)

  it("are given after the handler waited", function()
    server:on("slow", function(_, _, answer)
      painda.sleep(5)
      answer(nil, "late")
    end)
    assert.equal("late", client:request "slow")
  end)

  it("are rejected by an error of the handler, before and after it waited", function()
    require("painda.log").set_level "silent"
    server:on("bad", function(_, p)
      if p.wait then
        painda.sleep(2)
      end
      error(painda.Error("broken", "ROOM_ERROR"))
    end)
    for _, wait in ipairs { false, true } do
      local value, err = client:request("bad", { wait = wait })
      assert.is_nil(value)
      assert.equal("broken", err.message)
      assert.equal("ROOM_ERROR", err.code)
    end
    require("painda.log").set_level "warn"
  end)

  it("are numbered by each side for itself", function()
    server:on("echo", function(from, p, answer)
      answer(nil, { p, assert(from:request("back", p + 1)) })
    end)
    client:on("back", function(p, answer)
      answer(nil, p + 1)
    end)
    for i = 1, 5 do
      assert.same({ i, i + 2 }, client:request("echo", i))
    end
  end)

  it("time out for each call", function()
    local value, err = socket:timeout(5):request "nobody listens"
    assert.is_nil(value)
    assert.equal("TIMEOUT_ERROR", err.code)
  end)

  it("fail where the client goes, for a callback too", function()
    local asked, failed = task.waiter(), task.waiter()
    client:on("ask", function()
      asked:wake(true)
    end)
    socket:emit("ask", 1, function(err)
      failed:wake(err)
    end)
    assert.is_true(asked:wait(5000))
    client:close()
    local err = failed:wait(5000)
    assert.equal("CONNECTION_ERROR", err.code)
  end)

  it("are bounded for each client", function()
    for _ = 1, 4 do
      socket:emit("nobody", 1, function() end)
    end
    assert.matches("ack_spec.lua:%d+: more than 4 acks are pending", support.raised(function()
      socket:emit("nobody", 1, function() end)
    end))
  end)

  it("fail where the response can't be sent", function()
    require("painda.log").set_level "silent"
    server:on("function", function(_, _, answer)
      answer(nil, { f = print })
    end)
    local value, err = client:request "function"
    assert.is_nil(value)
    assert.equal("ENCODE_ERROR", err.code)
    require("painda.log").set_level "warn"
  end)

  it("of a question that can't be sent are not left open", function()
    assert.has_error(function()
      socket:emit("x", { f = print }, function() end)
    end)
    painda.sleep(1)
    assert.equal(0, socket._acks.count)
  end)
end)
