-- What `painda check` says of the API's use, and what it does not.

local check = require "painda.check"
local lexer = require "painda.check.lexer"
local rules = require "painda.check.rules"

local HEAD = 'local painda = require "painda" local server = painda.PPServer { port = 3000 } '

describe("painda check", function()
  local known

  setup(function()
    known = rules.new()
  end)

  local function said_of(source)
    local found, note = check.text(source, "app.lua", known)
    assert.is_nil(note)
    local texts = {}
    for i, one in ipairs(found) do
      texts[i] = one.line .. ": " .. one.text
    end
    return texts
  end

  local function says(expected, source)
    assert.same({ "1: " .. expected }, said_of(HEAD .. source))
  end

  local function says_nothing(source)
    assert.same({}, said_of(HEAD .. source))
  end

  it("names options that there are not, wherever they stand", function()
    says('PPServer has no option "prot", did you mean "port"?', "painda.PPServer { prot = 1 }")
    says('PPServer has no option "zzzzzz"', "painda.PPServer { zzzzzz = 1 }")
    says('PPServer.Heartbeat has no option "intervall", did you mean "interval"?',
      "painda.PPServer { heartbeat = { intervall = 1 } }")
    says('PPServer tls has no option "crt", did you mean "cert"?', 'painda.PPServer { tls = { crt = "x", key = "y" } }')
    says('PPClient has no option "reconect", did you mean "reconnect"?', 'painda.PPClient { reconect = true }')
    says('TypedRoom has no option "maxClient", did you mean "maxClients"?', 'server:room("a", {}, { maxClient = 1 })')
    says('PPServer has no option "hosst", did you mean "host"?', "painda.PPServer.attachTo(h, { hosst = 1 })")
    says('PPServer has no option "prot", did you mean "port"?', "local P = painda.PPServer P { prot = 1 }")
    says('PPServer has no option "prot", did you mean "port"?', "painda.PPServer({ ['x'] = 1, 2; prot = 1 })")
  end)

  it("knows what follows an address, and what a plugin is", function()
    says('PPClient has no option "reconect", did you mean "reconnect"?',
      'painda.PPClient("ws://x", { reconect = true })')
    says('"opne" would be a message type; PPClient has an event "open"',
      'local c = painda.PPClient("ws://x", { reconnect = true }) c:on("opne", print)')
    says('Plugin has no option "instal", did you mean "install"?', 'server:register { name = "x", instal = print }')
    says('PluginContext has no method "usee", did you mean "use"?',
      'server:register { name = "x", install = function(ctx) ctx:usee(print) end }')
    says('HttpResponse has no method "jsn", did you mean "json"?',
      'painda.HttpServer({ port = 1 }):get("/", function(req, res) res:jsn {} end)')
    says_nothing 'server:register { name = "x", author = "me", install = function(ctx) ctx:use(print) end }'
  end)

  it("names fields that are a letter off one that there is", function()
    says('Client has no "joinn", did you mean "join"?', 'server:on("connection", function(c) c.joinn("x") end)')
    says('Client has no "brodcast", did you mean "broadcast"?', 'server:use(function(c) c.brodcast:emit "x" end)')
    says('Client has no "handshak", did you mean "handshake"?', 'server:use(function(c) print(c.handshak.address) end)')
    says_nothing "server:use(function(c) c.joinn = 1 print(c.user, c.score, c.inventory, c.dato) end)"
  end)

  it("names values of another kind", function()
    says('PPServer option "port" takes an integer, not "3000"', 'painda.PPServer { port = "3000" }')
    says('PPServer option "port" takes an integer, not 1.5', "painda.PPServer { port = 1.5 }")
    says('PPServer option "host" takes a string, not a table', "painda.PPServer { host = {} }")
    says('PPServer option "onBackpressure" takes "close" or "drop", not "wait"',
      'painda.PPServer { onBackpressure = "wait" }')
    says_nothing 'painda.PPServer { port = os.getenv "PORT", host = x, heartbeat = false, recovery = true }'
    says_nothing 'painda.PPServer { port = 1 + 2, compression = "none", tls = { cert = "a" }, registry = r }'
    says_nothing "painda.PPServer { port = -1, rateLimit = { onLimit = function() end }, logger = { level = 'info' } }"
  end)

  it("names methods that there are not", function()
    says('PPServer has no method "brodcast", did you mean "broadcast"?', "server:brodcast(1)")
    says('Client has no method "emti", did you mean "emit"?', 'server:on("x", function(c) c:emti(1) end)')
    says('Client has no method "jion", did you mean "join"?', 'server:use(function(c, next) c:jion "x" end)')
    says('Target has no method "emmit", did you mean "emit"?', 'server:to("a"):except("b"):emmit(1)')
    says('NamespaceSocket has no method "jion", did you mean "join"?',
      'server:of("/a"):on("connection", function(s) s:jion "x" end)')
    says('Client has no method "sned", did you mean "send"?',
      "for _, c in ipairs(server:getClients()) do c:sned(1) end")
    says('painda has no "slep", did you mean "sleep"?', "painda.slep(1)")
    says('painda.testing has no "createTestEvn", did you mean "createTestEnv"?', "painda.testing.createTestEvn()")
    says("call it with a colon: :broadcast(…)", "server.broadcast(1)")
    says_nothing "server.broadcast(server, 1) local b = server.broadcast painda.own = 1"
  end)

  it("names events that there are not, and what looks like a slip", function()
    says('TypedRoom has no event "tik", did you mean "tick"?', 'server:room("a", {}):on("tik", print)')
    says('"conection" would be a message type; PPServer has an event "connection"', 'server:on("conection", print)')
    says('"connect" would be a message type; PPServer has an event "connection"', 'server:on("connect", print)')
    says('"disconnection" would be a message type; Client has an event "disconnect"',
      'server:on("connection", function(c) c:once("disconnection", print) end)')
    for _, name in ipairs { "move", "messages", "closed", "connections", "errors", "room", "joined", "reloaded" } do
      says_nothing(("server:on(%q, print)"):format(name))
    end
  end)

  it("follows variables, and forgets what it no longer knows", function()
    says('PPServer has no method "nope", did you mean "once"?', "local a = server a:nope()")
    says('PPServer has no method "nope", did you mean "once"?', "local a a = server a:nope()")
    says('PPServer has no method "nope", did you mean "once"?', "local function f() return server:nope() end")
    says('PPServer has no method "nope", did you mean "once"?', "local a = x or server a:nope()")
    says_nothing "local server = {} server:nope()"
    says_nothing "do local server = f() server:nope() end"
    says_nothing "server = other() server:nope()"
    says_nothing "local function f(server) server:nope() end"
    says_nothing "for server in pairs(t) do server:nope() end"
    says_nothing "for server = 1, 2 do (server):nope() end"
    says_nothing "repeat local server = f() until server:nope()"
    says_nothing "local t = { server = f() } t.server:nope() t[1]:nope()"
    says_nothing "server.own:nope() server.own = 1 server.data.x = f()"
  end)

  it("believes what comments say of parameters", function()
    local notes = "---@param s painda.PPServer\n---@param c? painda.Client\n"
    local found = said_of(notes .. "local function f(s, c) s:nope() c:emti() end")
    assert.same({ '3: PPServer has no method "nope", did you mean "once"?',
      '3: Client has no method "emti", did you mean "emit"?' }, found)
  end)

  it("is silent where it is asked to be", function()
    says_nothing "server:nope() -- luacheck: ignore"
  end)

  it("counts lines through comments and long strings", function()
    local source = '#!/usr/bin/env painda\n' .. HEAD
      .. '--[[ a\nb ]] local s = [==[\n]]\n]==] .. "\\\n" .. \'\\"\' .. "\\z"\n-- x\nserver:nope()'
    assert.same({ '8: PPServer has no method "nope", did you mean "once"?' }, said_of(source))
  end)

  it("reads all of Lua's grammar", function()
    says_nothing [=[
      local a, b = 1e3, 0x1Fp2 local c = 0xffULL + 1LL + 2i
      while a < b do if not c then break elseif #c ~= -a then goto out else a = a ^ 2 % 3 end end
      for i = 1, 2, 3 do local _ = i .. "" end
      for k, v in next, {} do k[v], v.x.y = v(k){}"", nil end
      repeat local x = 1 until x
      ::out:: do local _ = 1; end
      function a.b.c:d(...) local n, m = ..., select("#", ...) return n, m end
      local f = function() return end
      f{ 1, 2; [3] = 4, x = function() end, }
      f "x" [[y]] ( ("z"):rep(3) )
      return (f)]=]
  end)

  it("says what does not compile", function()
    assert.same({ "2: '=' expected near 'y'" }, said_of "local a = 1\nx y")
    assert.same({ "1: this is a compiled chunk, not a source" }, said_of "\27LJ")
    assert.same(1, #said_of(("("):rep(1000)))
  end)

  it("reads every source of the runtime to its end", function()
    for path in io.popen("find lua examples tests/spec -name '*.lua' -not -path '*/types/*'"):lines() do
      local file = assert(io.open(path))
      local source = file:read "*a"
      file:close()
      local tokens = lexer.tokens(source)
      local _, lines = source:gsub("\n", "")
      assert.is_true(tokens[#tokens].line <= lines + 1, path)
      said_of(source)
    end
  end)
end)
