local painda = require "painda"
local exchange = require "painda.http.exchange"
local router = require "painda.http.router"
local support = require "support"
local message, raised = support.message, support.raised

describe("the routes", function()
  local function found(routes, method, path)
    local handler, params, methods = routes:find(method, path)
    return handler, params, methods
  end

  it("find an exact path", function()
    local routes = router.new()
    assert.is_true(routes:add("GET", "/a", "a"))
    assert.equal("a", (found(routes, "GET", "/a")))
    assert.is_nil((found(routes, "GET", "/a/")))
    assert.is_nil((found(routes, "GET", "/A")))
    assert.is_nil((found(routes, "GET", "/")))
  end)

  it("give what a path's parameters match", function()
    local routes = router.new()
    routes:add("GET", "/rooms/:room/seats/:seat_1", "seat")
    routes:add("GET", "/files/*", "file")
    local handler, params = found(routes, "GET", "/rooms/blue one/seats/12")
    assert.equal("seat", handler)
    assert.same({ room = "blue one", seat_1 = "12" }, params)
    handler, params = found(routes, "GET", "/files/a/b.c")
    assert.equal("file", handler)
    assert.same({ ["*"] = "a/b.c" }, params)
    assert.same({ ["*"] = "" }, select(2, found(routes, "GET", "/files/")))
    assert.is_nil((found(routes, "GET", "/files")))
    assert.is_nil((found(routes, "GET", "/rooms//seats/1")))
    assert.is_nil((found(routes, "GET", "/rooms/a/b/seats/1")))
  end)

  it("take a path's punctuation as it is", function()
    local routes = router.new()
    routes:add("GET", "/a.b-c%20/(x)/:id", "odd")
    assert.equal("odd", (found(routes, "GET", "/a.b-c%20/(x)/1")))
    assert.is_nil((found(routes, "GET", "/aXb-c%20/(x)/1")))
  end)

  it("prefer the exact path, then the order of adding", function()
    local routes = router.new()
    routes:add("GET", "/:any", "first")
    routes:add("GET", "/*", "second")
    routes:add("GET", "/exact", "exact")
    assert.equal("exact", (found(routes, "GET", "/exact")))
    assert.equal("first", (found(routes, "GET", "/other")))
    assert.equal("second", (found(routes, "GET", "/a/b")))
  end)

  it("answer HEAD with the handler of GET, but for one of its own", function()
    local routes = router.new()
    routes:add("GET", "/a", "get")
    assert.equal("get", (found(routes, "HEAD", "/a")))
    routes:add("HEAD", "/a", "head")
    assert.equal("head", (found(routes, "HEAD", "/a")))
  end)

  it("tell what a path is served for", function()
    local routes = router.new()
    routes:add("GET", "/a/b", "x")
    routes:add("PUT", "/a/:id", "x")
    local handler, _, methods = found(routes, "POST", "/a/b")
    assert.is_nil(handler)
    assert.same({ GET = true, HEAD = true, PUT = true, OPTIONS = true }, methods)
    assert.equal("x", (found(routes, "PUT", "/a/b")))
    assert.is_nil((select(3, found(routes, "POST", "/c"))))
  end)

  it("refuse what they could not find again", function()
    local routes = router.new()
    for _, path in ipairs { "/a*", "/*/a", "/a/*b", "/:", "/:a-b", "/:a/:a", "/:1" } do
      local ok, err = routes:add("GET", path, "x")
      assert.is_nil(ok, path)
      assert.truthy(err:find(path, 1, true), err)
    end
    routes:add("GET", "/twice", "x")
    local ok, err = routes:add("GET", "/twice", "y")
    assert.is_nil(ok)
    assert.equal("GET /twice has a handler already", err)
  end)
end)

-- An exchange as C makes it, with what was answered in it.
local function raw(request)
  request = request or {}
  local given = request.headers or ""
  return {
    open = true,
    read = function()
      return "GET", "/x", request.query or "", given, "127.0.0.1", false, request.body or ""
    end,
    header = function(_, name)
      return (request.others or {})[name]
    end,
    is_open = function(self)
      return self.open
    end,
    answer = function(self, status, fields, body)
      if not self.open then
        return false
      end
      self.open, self.status, self.fields, self.body = false, status, fields, body
      return true
    end,
  }
end

describe("a request", function()
  it("has its query decoded, the first of a name", function()
    local req = exchange.new(raw { query = "a=1&b=x%20y%26z&a=2&c&=d&e=%2B+%&f=a=b" })
    assert.same({ a = "1", b = "x y&z", c = "", [""] = "d", e = "+ %", f = "a=b" }, req.query)
    assert.equal(req.query, req.query)
  end)

  it("has its headers, and looks for the others", function()
    local req = exchange.new(raw { headers = "host: a:1\naccept: b, c\nempty: \n", others = { ["x-one"] = "1" } })
    assert.equal("a:1", req.headers.host)
    assert.equal("b, c", req.headers.accept)
    assert.equal("", req.headers.empty)
    assert.equal("1", req.headers["X-One"])
    assert.is_nil(req.headers["x-two"])
    assert.is_nil(req.headers[1])
  end)

  it("reads its body as JSON", function()
    assert.same({ a = 1 }, (exchange.new(raw { body = '{"a":1}' })):json())
    assert.equal(painda.null, (exchange.new(raw { body = "null" })):json())
    assert.same({ nil, "the body is empty" }, { (exchange.new(raw())):json() })
    local value, err = (exchange.new(raw { body = "{" })):json()
    assert.is_nil(value)
    assert.is_string(err)
  end)
end)

describe("an answer", function()
  local function answer(fn)
    local it_is = raw()
    local _, res = exchange.new(it_is)
    local result = { fn(res) }
    return it_is, result
  end

  it("is text, HTML, JSON, or nothing", function()
    local got, result = answer(function(res)
      return res:send("hi")
    end)
    assert.same({ true }, result)
    assert.same({ 200, "content-type: text/plain; charset=utf-8\n", "hi" }, { got.status, got.fields, got.body })
    got = answer(function(res)
      return res:send(12)
    end)
    assert.equal("12", got.body)
    got = answer(function(res)
      return res:html("<p>")
    end)
    assert.same({ "content-type: text/html; charset=utf-8\n", "<p>" }, { got.fields, got.body })
    got = answer(function(res)
      return res:status(201):json { a = painda.array {} }
    end)
    assert.same({ 201, "content-type: application/json\n", '{"a":[]}' }, { got.status, got.fields, got.body })
    got = answer(function(res)
      return res:status(204):send()
    end)
    assert.same({ 204, "", "" }, { got.status, got.fields, got.body })
    got = answer(function(res)
      return res:redirect("/a", 303)
    end)
    assert.same({ 303, "location: /a\n", "" }, { got.status, got.fields, got.body })
  end)

  it("keeps a content-type that was set, and the last value of a header", function()
    local got = answer(function(res)
      return res:header("Content-Type", "text/csv"):header("X-A", "1"):header("x-a", 2):send("a,b")
    end)
    assert.equal("content-type: text/csv\nx-a: 2\n", got.fields)
  end)

  it("sets several cookies", function()
    local got = answer(function(res)
      return res:header("set-cookie", "a=1"):header("Set-Cookie", "b=2"):send()
    end)
    assert.equal("set-cookie: a=1\nset-cookie: b=2\n", got.fields)
  end)

  it("is given once", function()
    answer(function(res)
      res:send("a")
      assert.is_true(res.answered)
      assert.truthy(raised(res.send, res, "b"):find "answered already")
      assert.truthy(raised(res.json, res, {}):find "answered already")
    end)
  end)

  it("is nil, closed to one who left", function()
    local gone = raw()
    local _, res = exchange.new(gone)
    gone.open = false
    assert.is_false(res:isOpen())
    assert.same({ nil, "closed" }, { res:send("a") })
    assert.same({ nil, "closed" }, { res:status(404):header("a", "b"):json {} })
    assert.same({ nil, "closed" }, { res:redirect("/a") })
  end)

  it("does not let a header end early", function()
    answer(function(res)
      for _, value in ipairs { "a\r\nb: c", "a\nb", "a\rb", "a\0b", "\127" } do
        assert.truthy(raised(res.header, res, "x", value):find "control character", value)
      end
      for _, name in ipairs { "a\r\nb", "a b", "a:", "", "a\0", "é" } do
        assert.truthy(raised(res.header, res, name, "x"):find "not the name of a header", name)
      end
      assert.truthy(raised(res.redirect, res, "/a\r\nb: c"):find "address")
      for _, name in ipairs { "Content-Length", "transfer-encoding", "CONNECTION", "date" } do
        assert.truthy(raised(res.header, res, name, "1"):find "set by the server", name)
      end
    end)
  end)

  it("refuses what it can't be made of, at the caller's line", function()
    answer(function(res)
      for _, code in ipairs { 100, 600, 200.5, "200", 0 / 0 } do
        assert.truthy(raised(res.status, res, code):find "from 200 to 599")
      end
      assert.truthy(raised(function()
        res:send {}
      end):find "http_spec.lua:%d+: res:send takes a string, not a table %(that is res:json%)")
      assert.truthy(raised(res.html, res, nil):find "takes a string")
      assert.truthy(raised(function()
        res:json { a = { print } }
      end):find "http_spec.lua:%d+: res:json: .*a")
      assert.truthy(raised(res.redirect, res, "/a", 200):find "from 300 to 399")
      assert.truthy(raised(res.redirect, res, nil):find "address")
      assert.truthy(raised(res.header, res, "a", {}):find "not string and table")
    end)
  end)
end)

describe("painda.HttpServer", function()
  local http

  before_each(function()
    http = painda.HttpServer { port = 0, host = "127.0.0.1" }
  end)

  after_each(function()
    http:close()
  end)

  it("tells the port it got", function()
    assert.is_true(http.port > 0)
    assert.equal("HttpServer on port " .. http.port, tostring(http))
  end)

  it("names a wrong option and the nearest known one", function()
    assert.equal('HttpServer has no option "prot", did you mean "port"?', message(painda.HttpServer, { prot = 1 }))
    assert.truthy(message(painda.HttpServer, {}):find('needs the option "port"', 1, true))
    assert.truthy(message(painda.HttpServer, { port = "80" }):find '"port" must be an integer')
    assert.truthy(message(painda.HttpServer, { port = 0, maxBody = -1 }):find '"maxBody" must be from 0')
    assert.truthy(message(painda.HttpServer, { port = 0, tls = { cert = "a" } }):find 'needs the option "key"')
  end)

  it("refuses a route that can't be", function()
    local function nothing() end
    assert.truthy(raised(function()
      http:get("a", nothing)
    end):find 'http_spec.lua:%d+: a route is a path that begins with "/", not "a"')
    assert.truthy(raised(http.post, http, "/a", nil):find "the handler of POST /a is a function, not a nil")
    assert.truthy(raised(http.route, http, "GTE", "/a", nothing):find 'did you mean "GET"')
    http:get("/a", nothing)
    assert.truthy(raised(http.get, http, "/a", nothing):find "GET /a has a handler already")
    assert.equal(http, http:route("delete", "/a", nothing))
  end)

  it("refuses a directory that is not there", function()
    assert.truthy(raised(http.static, http, "/", "no-such-folder"):find "there is no directory .*no%-such%-folder")
    assert.truthy(raised(http.static, http, "files", "."):find 'begins with "/"')
    assert.truthy(raised(http.static, http, "/", "/", { maxage = 1 }):find 'did you mean "maxAge"')
  end)

  it("can be closed twice, and its port taken again", function()
    local port = http.port
    http:close()
    http:close()
    http = painda.HttpServer { port = port, host = "127.0.0.1" }
    assert.equal(port, http.port)
  end)

  it("does not share a port that is in use", function()
    local ok, err = pcall(painda.HttpServer, { port = http.port, host = "127.0.0.1" })
    assert.is_false(ok)
    assert.truthy(tostring(err):find "in use")
  end)

  it("ends in time where nothing is at hand", function()
    http:gracefulShutdown(1000)
    http = painda.HttpServer { port = http.port, host = "127.0.0.1" }
  end)
end)
