local painda = require "painda"
local support = require "support"

local function sorted(names)
  table.sort(names)
  return names
end

-- The ids of sockets, in order, to compare them.
local function ids(sockets)
  local out = {}
  for i, socket in ipairs(sockets) do
    out[i] = socket.id
  end
  return sorted(out)
end

local server, peers, sockets

-- What each of the peers got of "x", in order; all of it, since each hears "end" behind it.
local function got()
  local all, ended = {}, 0
  for _, peer in ipairs(peers) do
    peer.client:once("end", function()
      ended = ended + 1
    end)
  end
  server:emit("end")
  support.eventually(function()
    return ended == #peers
  end)
  for i, peer in ipairs(peers) do
    all[i], peer.got = peer.got, {}
  end
  return all
end

local function begin(count, options)
  server, peers, sockets = support.server(options), {}, {}
  for i = 1, count do
    local peer = { got = {} }
    peer.client, sockets[i] = support.connect(server, options and { registry = options.registry })
    peer.client:on("x", function(payload)
      peer.got[#peer.got + 1] = payload
    end)
    peers[i] = peer
  end
end

local function finish()
  for _, peer in ipairs(peers) do
    peer.client:close()
  end
  server:close()
end

after_each(function()
  finish()
end)

describe("a room", function()
  before_each(function()
    begin(4)
  end)

  it("is who joined it and has not left", function()
    assert.equal(0, server:to("red"):emit("x", 0))
    assert.is_true(sockets[1]:join "red")
    assert.is_true(sockets[2]:join "red")
    assert.is_true(sockets[2]:join "red")
    assert.equal(2, server:to("red"):emit("x", 1))
    assert.is_true(sockets[2]:leave "red")
    assert.is_false(sockets[2]:leave "red")
    assert.equal(1, server:in_("red"):emit("x", 2))
    assert.same({ { 1, 2 }, { 1 }, {}, {} }, got())
  end)

  it("is joined and left in numbers", function()
    assert.same({}, sockets[1].rooms)
    assert.is_true(sockets[1]:join { "a", "b", "c" })
    assert.same({ "a", "b", "c" }, sorted(sockets[1].rooms))
    assert.is_true(sockets[1]:leave { "a", "nowhere", "c" })
    assert.same({ "b" }, sockets[1].rooms)
    assert.is_true(sockets[1]:join {})
    assert.is_false(sockets[1]:leave {})
  end)

  it("can be left while a client's rooms are walked", function()
    sockets[1]:join { "a", "b", "c" }
    for _, name in ipairs(sockets[1].rooms) do
      sockets[1]:leave(name)
    end
    assert.same({}, sockets[1].rooms)
  end)

  it("gives one copy to who is in several", function()
    sockets[1]:join { "red", "blue" }
    sockets[2]:join "blue"
    sockets[3]:join "red"
    assert.equal(3, server:to({ "red", "blue", "red" }):emit("x", 1))
    assert.equal(3, server:to("red"):to("blue"):emit("x", 2))
    assert.same({ { 1, 2 }, { 1, 2 }, { 1, 2 }, {} }, got())
  end)

  it("can be left out", function()
    sockets[1]:join { "red", "muted" }
    sockets[2]:join { "red", "blue" }
    sockets[3]:join { "blue" }
    assert.equal(1, server:to("red"):except("muted"):emit("x", 1))
    assert.equal(3, server:except("muted"):emit("x", 2))
    assert.equal(1, server:except({ "red", "blue" }):emit("x", 3))
    assert.equal(1, server:except("red"):except("blue"):emit("x", 4))
    assert.equal(0, server:to("red"):except("red"):emit("x", 5))
    assert.equal(4, server:except("nobody is here"):emit("x", 6))
    assert.equal(4, server:except({}):emit("x", 7))
    assert.same({ { 6, 7 }, { 1, 2, 6, 7 }, { 2, 6, 7 }, { 2, 3, 4, 6, 7 } }, got())
  end)

  it("hears a client that need not be in it, but never itself", function()
    sockets[1]:join "red"
    sockets[2]:join "red"
    assert.equal(1, sockets[1]:to("red"):emit("x", 1))
    assert.equal(2, sockets[3]:to("red"):emit("x", 2))
    assert.equal(1, sockets[1]:in_({ "red", sockets[1].id }):emit("x", 3))
    assert.equal(2, sockets[3]:except("red"):except(sockets[1].id):emit("x", 4) + 1)
    assert.equal(2, sockets[4].broadcast:to("red"):emit("x", 5))
    assert.equal(3, sockets[1].broadcast:emit("x", 6))
    assert.same({ { 2, 5 }, { 1, 2, 3, 5, 6 }, { 6 }, { 4, 6 } }, got())
  end)

  it("is there for each client, under its id", function()
    local id = sockets[1].id
    assert.equal(1, server:to(id):emit("x", 1))
    assert.equal(3, server:except(id):emit("x", 2))
    sockets[2]:join(id)
    assert.equal(2, server:to(id):emit("x", 3))
    sockets[1]:join(id)
    assert.equal(2, server:to(id):emit("x", 4))
    assert.same({ { 1, 3, 4 }, { 2, 3, 4 }, { 2 }, { 2 } }, got())
  end)

  it("hears nothing where no room is named", function()
    sockets[1]:join "red"
    assert.equal(0, server:to({}):emit("x", 1))
    assert.equal(1, server:to({}):to("red"):emit("x", 2))
    assert.same({ { 2 }, {}, {}, {} }, got())
  end)

  it("may have any name that is text", function()
    local names = { "a b", "1", "/", "bücher 📚", ("n"):rep(255), "__pp_room", "nil" }
    assert.is_true(sockets[1]:join(names))
    for _, name in ipairs(names) do
      assert.equal(1, server:to(name):emit("x", name))
    end
    assert.same(sorted { unpack(names) }, sorted(sockets[1].rooms))
    assert.same({ names, {}, {}, {} }, got())
  end)

  it("is not changed by a target that was made of another", function()
    sockets[1]:join "red"
    sockets[2]:join "blue"
    local red = server:to "red"
    local both, none = red:to "blue", red:except "red"
    local volatile = red:volatile()
    assert.same({ 1, 2, 0, 1, 1 }, {
      red:emit("x", 1), both:emit("x", 2), none:emit("x", 3), volatile:emit("x", 4), red:emit("x", 5),
    })
    assert.same({ { 1, 2, 4, 5 }, { 2 }, {}, {} }, got())
  end)

  it("is heard of by its array only while that is being named", function()
    sockets[1]:join "red"
    local names = { "red" }
    local target = server:to(names)
    names[1] = "blue"
    assert.equal(1, target:emit("x", 1))
  end)

  it("gets messages as they came", function()
    sockets[1]:join "red"
    sockets[2]:on("message", function(msg)
      sockets[2].sent = sockets[2]:to("red"):send(msg)
    end)
    peers[2].client:emit("x", { 1, "as it came" })
    support.eventually(function()
      return sockets[2].sent
    end)
    assert.equal(1, sockets[2].sent)
    assert.equal(1, server:to("red"):send { type = "x", payload = "made" })
    assert.same({ { { 1, "as it came" }, "made" }, {}, {}, {} }, got())
  end)

  it("can be listed", function()
    sockets[1]:join { "red", "blue" }
    sockets[2]:join "red"
    assert.same(ids { sockets[1], sockets[2] }, ids(server:to("red"):fetchSockets()))
    assert.same(ids { sockets[2] }, ids(server:to({ "red", "blue" }):except("blue"):fetchSockets()))
    assert.same(ids { sockets[1] }, ids(sockets[2]:to("red"):fetchSockets()))
    assert.same({}, server:to("nowhere"):fetchSockets())
    assert.equal(sockets[3], server:to(sockets[3].id):fetchSockets()[1])
    assert.equal(3, #sockets[1].broadcast:fetchSockets())
  end)

  it("makes its clients join and leave others", function()
    sockets[1]:join "red"
    sockets[2]:join "red"
    assert.equal(2, server:to("red"):socketsJoin { "blue", "green" })
    assert.same({ "blue", "green", "red" }, sorted(sockets[2].rooms))
    assert.equal(2, server:to("blue"):socketsLeave { "red", "blue" })
    assert.equal(0, server:to("red"):socketsLeave "green")
    assert.same({ "green" }, sockets[1].rooms)
  end)

  it("can be emptied of its clients", function()
    sockets[1]:join "red"
    sockets[2]:join "red"
    local codes = support.record(peers[1].client, "close")
    assert.equal(2, server:to("red"):disconnectSockets(4000, "enough"))
    support.eventually(function()
      return sockets[1].closed and sockets[2].closed and #codes > 0
    end)
    assert.same(ids { sockets[3], sockets[4] }, ids(server:getClients()))
    assert.equal(0, server:to("red"):emit("x", 1))
    table.remove(peers, 1)
    table.remove(peers, 1)
  end)
end)

describe("the end of a client", function()
  before_each(function()
    begin(2)
  end)

  it("is the end of its membership, and its handlers still see where it was", function()
    sockets[1]:join { "red", "blue" }
    sockets[2]:join "red"
    local seen, told
    sockets[1]:on("disconnect", function()
      seen = sorted(sockets[1].rooms)
      told = sockets[1]:to("red"):emit("x", "bye")
    end)
    peers[1].client:close()
    support.eventually(function()
      return seen
    end)
    assert.same({ "blue", "red" }, seen)
    assert.equal(1, told)
    assert.equal(1, server:to("red"):emit("x", 1))
    assert.equal(0, server:to("blue"):emit("x", 2))
    table.remove(peers, 1)
    assert.same({ { "bye", 1 } }, got())
  end)

  it("makes joining an answer", function()
    peers[1].client:close()
    support.eventually(function()
      return sockets[1].closed
    end)
    assert.same({ nil, "closed", "closed" }, { sockets[1]:join "red" })
    assert.is_false(sockets[1]:leave "red")
    assert.same({}, sockets[1].rooms)
    assert.equal(0, server:to("red"):emit("x", 1))
    table.remove(peers, 1)
  end)
end)

describe("the events of a server's rooms", function()
  before_each(function()
    begin(1)
  end)

  it("tell of each that was joined or left, once", function()
    local joined, left = support.record(server, "roomJoin"), support.record(server, "roomLeave")
    local one = sockets[1]
    one:join { "a", "b" }
    one:join { "a", "c" }
    one:leave { "c", "nowhere" }
    assert.same({ { one, "a" }, { one, "b" }, { one, "c" } }, joined)
    assert.same({ { one, "c" } }, left)
    peers[1].client:close()
    support.eventually(function()
      return #left == 3
    end)
    assert.same({ "a", "b" }, sorted { left[2][2], left[3][2] })
    table.remove(peers, 1)
  end)

  it("come to listeners that may wait, raise, or listen once", function()
    local seen = {}
    server:on("roomJoin", function(_, name)
      painda.sleep(1)
      seen[#seen + 1] = name
    end)
    server:on("roomJoin", function(_, name)
      error("this is to be logged " .. name)
    end)
    local once = 0
    server:once("roomJoin", function()
      once = once + 1
    end)
    painda.log.set_level "silent"
    assert.is_true(sockets[1]:join { "a", "b" })
    support.eventually(function()
      return #seen == 2
    end)
    painda.log.set_level "warn"
    assert.equal(1, once)
  end)

  it("are not messages of that type", function()
    local joined = support.record(server, "roomJoin")
    peers[1].client:emit("roomJoin", "red")
    got()
    assert.same({}, joined)
  end)
end)

describe("a room that can't be", function()
  before_each(function()
    begin(2, { maxRoomsPerClient = 3, maxRoomName = 10 })
  end)

  -- name, what is said of it
  local cases = {
    { "", "the name of a room is empty" },
    { "elevenbytes", "the name of a room is too long (maxRoomName: 10 bytes)" },
    { ("x"):rep(10240), "the name of a room is too long (maxRoomName: 10 bytes)" },
    { "a\0b", "the name of a room holds a control character" },
    { "/x\0", "the name of a room holds a control character" },
    { "a\nb", "the name of a room holds a control character" },
    { "a\127", "the name of a room holds a control character" },
    { "\194\133", "the name of a room holds a control character" },
    { "a\255", "the name of a room is not valid UTF-8" },
    { "\237\160\128", "the name of a room is not valid UTF-8" },
  }

  it("is an answer to who joins it", function()
    for _, case in ipairs(cases) do
      assert.same({ nil, case[2], "ROOM_ERROR" }, { sockets[1]:join(case[1]) })
      assert.same({ nil, case[2], "ROOM_ERROR" }, { sockets[1]:join { "fine", case[1] } })
      assert.is_false(sockets[1]:leave(case[1]))
    end
    assert.same({}, sockets[1].rooms)
  end)

  it("is an error of ROOM_ERROR to who names it", function()
    for _, case in ipairs(cases) do
      for _, fn in ipairs { server.to, server.in_, server.except } do
        local ok, err = pcall(fn, server, case[1])
        assert.is_false(ok)
        assert.equal("ROOM_ERROR", err.code)
        assert.equal(case[2], err.message)
      end
      assert.is_false(pcall(sockets[1].to, sockets[1], { "fine", case[1] }))
      assert.is_false(pcall(function()
        server:to("fine"):except(case[1])
      end))
    end
  end)

  it("is misuse where it is no string, and raised where it was done", function()
    local calls = {
      { "client:join", function(name) sockets[1]:join(name) end },
      { "client:leave", function(name) sockets[1]:leave(name) end },
      { "server:to", function(name) server:to(name) end },
      { "server:in_", function(name) server:in_(name) end },
      { "server:except", function(name) server:except(name) end },
      { "client:to", function(name) sockets[1]:to(name) end },
      { "client:in_", function(name) sockets[1]:in_(name) end },
      { "client:except", function(name) sockets[1]:except(name) end },
      { "to", function(name) server:to("a"):to(name) end },
      { "except", function(name) server:to("a"):except(name) end },
      { "socketsJoin", function(name) server:to("a"):socketsJoin(name) end },
      { "socketsLeave", function(name) server:to("a"):socketsLeave(name) end },
    }
    for _, call in ipairs(calls) do
      local what, fn = call[1], call[2]
      local line = debug.getinfo(fn, "S").linedefined
      for kind, value in pairs { number = 5, boolean = true, ["function"] = print } do
        local expected = "room_spec.lua:%d: %s takes the name of a room, or an array of names, not a %s"
        assert.matches(expected:format(line, what, kind), support.raised(fn, value), 1, true)
      end
      assert.matches(what .. " takes the name of a room, or an array of names, not a nil", support.raised(fn), 1, true)
      assert.matches("not a table of something else", support.raised(fn, { red = true }), 1, true)
      assert.matches(what .. " takes names of rooms, and item 2 is a number", support.raised(fn, { "a", 5 }), 1, true)
    end
  end)

  it("is one too many", function()
    local text = "a client is in at most 3 rooms (maxRoomsPerClient)"
    assert.is_true(sockets[1]:join { "a", "b" })
    assert.same({ nil, text, "ROOM_ERROR" }, { sockets[1]:join { "c", "d" } })
    assert.same({ "a", "b" }, sorted(sockets[1].rooms))
    assert.is_true(sockets[1]:join { "a", "b", "c" })
    assert.same({ nil, text, "ROOM_ERROR" }, { sockets[1]:join "d" })
    assert.is_true(sockets[1]:join "c")
    assert.is_true(sockets[2]:join "d")
    sockets[1]:leave "b"
    assert.is_true(sockets[1]:join "d")
    assert.same({ "a", "c", "d" }, sorted(sockets[1].rooms))
  end)

  it("was never joined, for the events", function()
    local joined, left = support.record(server, "roomJoin"), support.record(server, "roomLeave")
    sockets[1]:join { "a", "b", "c", "d" }
    assert.same({}, joined)
    assert.same({}, left)
  end)
end)

describe("a message to rooms", function()
  it("that can't be sent is raised where it was meant to be", function()
    begin(1)
    sockets[1]:join "red"
    local cases = {
      [function() server:to("red"):emit("x", 0 / 0) end] = "payload: NaN cannot be encoded",
      [function() server:to("red"):emit("__pp_error", 1) end] = "types that begin with __pp_ belong to the protocol",
      [function() server:to("red"):send { payload = 1 } end] = "send takes the type of a message",
      [function() sockets[1]:to("red"):emit("", 1) end] = "emit takes the type of a message",
    }
    for fn, text in pairs(cases) do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.equal("ENCODE_ERROR", err.code)
      assert.matches(text, err.message, 1, true)
    end
    assert.matches("send takes a message", support.raised(function() server:to("red"):send "x" end), 1, true)
    assert.same({ {} }, got())
  end)

  it("travels by its schema, with an envelope for who speaks text", function()
    local registry = painda.PPSchemaRegistry()
    registry:register("x", painda.structSerializer(7, { { name = "n", type = "uint16" } }))
    begin(3, { registry = registry })
    local text, text_socket = support.connect(server, { json = true })
    local texts = support.record(text, "x")
    text:emit("hello")
    for _, socket in ipairs { sockets[1], sockets[2], text_socket } do
      socket:join "red"
    end
    support.event(text_socket, "message")
    assert.equal(3, server:to("red"):emit("x", { n = 7 }))
    assert.same({ { { n = 7 } }, { { n = 7 } }, {} }, got())
    support.eventually(function()
      return #texts == 1
    end)
    assert.same({ n = 7 }, texts[1][1])
    text:close()
  end)
end)

describe("the rooms of a namespace", function()
  local red, blue -- namespaces
  local inside -- the sockets in red, by the number of their peer

  -- Each of `numbers` joins the namespace; what it is sent there counts as what it got, with the namespace in front.
  local function enter(namespace, numbers)
    local joined = {}
    for _, i in ipairs(numbers) do
      local handle, peer = peers[i].client:of(namespace.name), peers[i]
      handle:on("x", function(payload)
        peer.got[#peer.got + 1] = namespace.name .. " " .. payload
      end)
      namespace:once("connection", function(socket)
        joined[i] = socket
      end)
      handle:emit "let me in"
      support.eventually(function()
        return joined[i]
      end)
    end
    return joined
  end

  before_each(function()
    begin(4)
    red, blue = server:of "/red", server:of "/blue"
    inside = enter(red, { 1, 2, 3 })
  end)

  it("are not those of another, nor of none", function()
    local in_blue = enter(blue, { 1 })
    assert.is_true(inside[1]:join "room")
    assert.is_true(inside[2]:join "room")
    assert.is_true(in_blue[1]:join "room")
    assert.is_true(sockets[3]:join { "room", "another" })
    assert.same({ 2, 1, 1 }, {
      red:to("room"):emit("x", 1), blue:to("room"):emit("x", 2), server:to("room"):emit("x", 3),
    })
    assert.same({ 0, 0 }, { red:to("another"):emit("x", 4), server:to("/red"):emit("x", 5) })
    assert.same({ { "room" }, { "room" } }, { inside[1].rooms, in_blue[1].rooms })
    assert.same({ {}, { "another", "room" } }, { sockets[1].rooms, sorted(sockets[3].rooms) })
    assert.is_true(inside[1]:leave "room")
    assert.same({ {}, { "room" } }, { inside[1].rooms, in_blue[1].rooms })
    assert.same({ { "/red 1", "/blue 2" }, { "/red 1" }, { 3 }, {} }, got())
  end)

  it("can be left out, and hear their clients but not themselves", function()
    inside[1]:join "room"
    inside[2]:join "room"
    assert.equal(1, red:except("room"):emit("x", 1))
    assert.equal(1, inside[1]:to("room"):emit("x", 2))
    assert.equal(2, inside[1].broadcast:emit("x", 3))
    assert.equal(1, inside[1]:except(inside[2].id):emit("x", 4))
    assert.same({ {}, { "/red 2", "/red 3" }, { "/red 1", "/red 3", "/red 4" }, {} }, got())
  end)

  it("are there for who is in it, under the id", function()
    assert.equal(1, red:to(sockets[1].id):emit("x", 1))
    assert.equal(0, red:to(sockets[4].id):emit("x", 2))
    assert.equal(2, red:except(sockets[1].id):emit("x", 3))
    assert.same({ inside[1] }, red:to(sockets[1].id):fetchSockets())
  end)

  it("list the namespace's own sockets", function()
    inside[1]:join "room"
    assert.same({ inside[1] }, red:to("room"):fetchSockets())
    assert.equal(1, red:to("room"):socketsJoin "next")
    assert.same({ "next", "room" }, sorted(inside[1].rooms))
  end)

  it("tell the namespace who comes and goes, also where the connection ends", function()
    local joined, left = support.record(red, "roomJoin"), support.record(red, "roomLeave")
    local elsewhere = support.record(server, "roomJoin")
    inside[1]:join { "a", "b" }
    inside[1]:leave "a"
    peers[1].client:close()
    support.eventually(function()
      return #left == 2
    end)
    assert.same({ "a", "b" }, { joined[1][2], joined[2][2] })
    assert.same({ "a", "b" }, { left[1][2], left[2][2] })
    assert.equal(inside[1], left[2][1])
    assert.same({}, elsewhere)
    assert.equal(0, red:to("b"):emit("x", 1))
    assert.equal(0, server:getStats().rooms)
    table.remove(peers, 1)
  end)

  it("count for the client, and the namespaces that it is in do not", function()
    finish()
    begin(1, { maxRoomsPerClient = 2 })
    red, blue = server:of "/red", server:of "/blue"
    local in_red, in_blue = enter(red, { 1 })[1], enter(blue, { 1 })[1]
    assert.is_true(in_red:join "a")
    assert.is_true(in_blue:join "a")
    local _, _, code = sockets[1]:join "a"
    assert.equal("ROOM_ERROR", code)
    assert.is_true(in_red:join "a")
  end)
end)
