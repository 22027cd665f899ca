-- Run with: painda test examples/bots
local painda = require "painda"
local testing = require "painda.testing"
local bots = require "bots"
local game = require "game"

local waitForMessage = testing.waitForMessage

describe("an outcome", function()
  it("follows the hands", function()
    for mine, beaten in pairs { rock = "scissors", scissors = "paper", paper = "rock" } do
      assert.equal("won", game.outcome(mine, beaten))
      assert.equal("lost", game.outcome(beaten, mine))
      assert.equal("drawn", game.outcome(mine, mine))
      assert.equal("lost", game.outcome(nil, mine))
      assert.equal("won", game.outcome(mine, nil))
    end
    assert.equal("drawn", game.outcome(nil, nil))
  end)
end)

describe("a game", function()
  local env, state, called

  before_each(function()
    env, state, called = testing.createTestEnv(), game.new(), 0
    game.serve(env.server, state, function()
      called = called + 1
      bots.send(env.server, function() -- the first character is Stan, who throws rock
        return 1
      end)
    end, bots.is_bot)
  end)

  local function play(name)
    local client = env:connect { id = name }
    assert.same({ patience = game.PATIENCE }, client:request("play", { name = name }))
    return client
  end

  it("pairs two people at once, and calls no bot", function()
    local ann, bob = play "Ann", play "Bob"
    assert.equal("Bob", waitForMessage(ann, "round").payload.against)
    assert.equal("Ann", waitForMessage(bob, "round").payload.against)
    env.clock:advance(10 * game.PATIENCE)
    assert.equal(0, called)
  end)

  it("tells a round's result once both have thrown", function()
    local ann, bob = play "Ann", play "Bob"
    assert.equal("rock", ann:request("throw", "rock"))
    assert.equal("NOT_NOW", select(2, ann:request("throw", "paper")).code)
    env.clock:advance(0)
    local results = testing.collectMessages(ann, "result")
    assert.equal(0, #results)
    bob:request("throw", "scissors")
    assert.same({ mine = "rock", theirs = "scissors", outcome = "won" }, results:wait(1)[1].payload)
    assert.equal("lost", waitForMessage(bob, "result").payload.outcome)
    assert.equal(1, waitForMessage(ann, "round").payload.number)
    env.clock:advance(game.PAUSE)
    assert.same({ 1, 0 }, waitForMessage(ann, "round").payload.score)
  end)

  it("does not wait for ever for a hand", function()
    local ann, bob = play "Ann", play "Bob"
    ann:emit("throw", "paper")
    env.clock:advance(game.ROUND)
    assert.equal("won", waitForMessage(ann, "result").payload.outcome)
    assert.same({ theirs = "paper", outcome = "lost" }, waitForMessage(bob, "result").payload)
  end)

  it("ends when somebody goes", function()
    local ann, bob = play "Ann", play "Bob"
    ann:close()
    assert.equal("left", waitForMessage(bob, "over").payload.outcome)
    assert.same({}, state.matches)
    assert.same({ patience = game.PATIENCE }, bob:request("play", { name = "Bob" }))
    bob:emit "leave"
    play "Cid"
    env.clock:advance(game.PATIENCE / 2)
    assert.equal(0, called)
  end)

  it("brings a bot to whom nobody else comes, and ends after three won rounds", function()
    local ann = play "Ann"
    env.clock:advance(game.PATIENCE - 1)
    assert.equal(0, called)
    env.clock:advance(1)
    assert.equal(1, called)
    for round = 1, 3 do
      local told = waitForMessage(ann, "round").payload
      assert.same({ round, "Stubborn Stan", { round - 1, 0 } }, { told.number, told.against, told.score })
      ann:emit("throw", "paper")
      env.clock:advance(bots.THINK)
      assert.same({ mine = "paper", theirs = "rock", outcome = "won" }, waitForMessage(ann, "result").payload)
      env.clock:advance(game.PAUSE)
    end
    assert.same({ outcome = "won", score = { 3, 0 } }, waitForMessage(ann, "over").payload)
    assert.equal(1, #env.server:getClients()) -- the bot has gone
    assert.same({}, state.matches)
  end)

  it("refuses names that are none, and playing twice", function()
    local ann = env:connect()
    for _, name in ipairs { "", "  ", ("x"):rep(25), "a\nb", 5, painda.null } do
      assert.equal("BAD_NAME", select(2, ann:request("play", { name = name })).code)
    end
    assert.equal("BAD_NAME", select(2, ann:request "play").code)
    assert(ann:request("play", { name = "Ann" }))
    assert.equal("PLAYS", select(2, ann:request("play", { name = "Ann" })).code)
    assert.equal("NOT_NOW", select(2, ann:request("throw", "rock")).code)
  end)
end)

describe("a bot", function()
  local function last(n)
    return n
  end

  it("chooses in its own way", function()
    local choose = {}
    for _, character in ipairs(bots.characters) do
      choose[character[1]] = character[2]
    end
    assert.equal("rock", choose["Stubborn Stan"]({ "paper" }, last))
    assert.equal("paper", choose["Copycat Cleo"]({ "rock", "paper" }, last))
    assert.equal("scissors", choose["Copycat Cleo"]({}, last))
    assert.equal("paper", choose["Counting Carl"]({ "rock", "scissors", "rock" }, last))
    assert.equal("scissors", choose["Lady Luck"]({ "rock" }, last))
  end)
end)
