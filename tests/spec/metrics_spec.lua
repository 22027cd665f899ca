local painda = require "painda"
local support = require "support"

local NAME, LABEL = "[%a_:][%w_:]*", "[%a_][%w_]*"

-- A value as Prometheus writes it.
local function value_of(text)
  return text == "+Inf" and math.huge or assert(tonumber(text), text)
end

local ESCAPED = { ["\\\\"] = "\\", ['\\"'] = '"', ["\\n"] = "\n" }

-- Reads name="value",… with \\, \" and \n escaped and nothing else.
local function labels_of(text)
  local labels, at = {}, 1
  while at <= #text do
    local name, from = text:match("^(" .. LABEL .. ')="()', at)
    assert(name and labels[name] == nil, "not a label, or twice: " .. text:sub(at))
    local value = {}
    at = from
    while text:sub(at, at) ~= '"' do
      local plain = text:match('^[^\\"\n]+', at)
      value[#value + 1] = plain or assert(ESCAPED[text:sub(at, at + 1)], "not an escape: " .. text:sub(at))
      at = at + (plain and #plain or 2)
    end
    labels[name] = table.concat(value)
    at = text:match('^",?()', at)
  end
  return labels
end

-- Reads the text format strictly, by promtool's rules: HELP, then TYPE, then the samples of a metric, all of them
-- together; counters end in _total and nothing else does; names are plain words with base units at the end. Returns
-- { [metric] = { type, help, samples = { { name, labels, value } } } }.
local function parse(text)
  assert.equal("\n", text:sub(-1))
  local metrics, current = {}, nil
  for line in text:gmatch "([^\n]*)\n" do
    local kind, name, rest = line:match("^# (%u+) (" .. NAME .. ") (.+)$")
    if kind == "HELP" then
      assert.is_nil(metrics[name], name .. " comes twice")
      current = { name = name, help = rest, samples = {} }
      metrics[name] = current
    elseif kind == "TYPE" then
      assert.equal(current.name, name)
      assert.is_nil(current.type)
      assert.is_true(rest == "counter" or rest == "gauge" or rest == "histogram", rest)
      current.type = rest
      assert.equal(rest == "counter", name:find "_total$" ~= nil, name)
      assert.is_nil(name:find "%u", name)
      assert.is_nil(name:find "_milli" or name:find "_ms$" or name:find "counter" or name:find "gauge", name)
    else
      local sample, inside, value = line:match("^(" .. NAME .. "){(.*)} (%S+)$")
      if not sample then
        sample, value = line:match("^(" .. NAME .. ") (%S+)$")
      end
      assert(sample, "neither a sample nor a comment: " .. line)
      local base = current.type == "histogram" and sample:gsub("_%l+$", "") or sample
      assert.equal(current.name, base)
      table.insert(current.samples, { name = sample, labels = labels_of(inside or ""), value = value_of(value) })
    end
  end
  return metrics
end

-- A histogram's buckets rise to +Inf, which is the count; there is one sum and one count.
local function check_histogram(metric)
  local before, bound, inf, sum, count = 0, -1, nil, nil, nil
  for _, sample in ipairs(metric.samples) do
    local suffix = sample.name:match "_(%l+)$"
    if suffix == "bucket" then
      local le = value_of(sample.labels.le)
      assert.is_true(le > bound and sample.value >= before, metric.name)
      before, bound = sample.value, le
      inf = le == math.huge and sample.value or inf
    else
      assert.is_nil(sample.labels.le)
      if suffix == "sum" then
        sum = sample.value
      else
        assert.equal("count", suffix)
        count = sample.value
      end
    end
  end
  assert.equal(count, inf)
  assert.is_true(sum >= 0 and (count > 0) == (sum > 0))
  return count
end

describe("ppMetricsPlugin", function()
  local server

  before_each(function()
    server = support.server()
  end)

  after_each(function()
    server:close()
  end)

  local function register(options)
    return server:register(painda.ppMetricsPlugin, options):getPlugin "pp-metrics"
  end

  it("counts what the statistics of a server are made of", function()
    local metrics = register()
    local raised = metrics:snapshot().errorsTotal -- of the whole process
    server:on("work", function(client, _, ack)
      client:join { "a", "b" }
      client:leave "a"
      ack(nil, ("x"):rep(100))
    end)
    server:on("bad", function()
      error "on purpose"
    end)
    local client = support.connect(server)
    local stays = support.connect(server)
    client:request "work"
    client:request "bad"
    local before = metrics:snapshot()
    assert.is_true(before.bytesReceived > 50 and before.bytesSent > 100) -- of connections that are open
    assert.same({ 2, 0, 2, 1, 1 }, { before.connectionsTotal, before.disconnectionsTotal, before.roomJoinsTotal,
      before.roomLeavesTotal, before.errorsTotal - raised })
    assert.same({ 2, 2 }, { before.messagesReceived, before.messagesSent })
    client:close()
    support.eventually(function()
      return metrics:snapshot().disconnectionsTotal == 1
    end)
    local after = metrics:snapshot()
    assert.equal(2, after.roomLeavesTotal)
    assert.is_true(after.bytesReceived >= before.bytesReceived and after.bytesSent >= before.bytesSent)
    stays:close()
  end)

  it("measures handlers and the loop's turns", function()
    server:on("slow", function(_, _, ack)
      local began = require("painda.core.runtime").now()
      while require("painda.core.runtime").now() - began < 12 do -- keeps the loop
      end
      ack()
    end)
    local client = support.connect(server)
    client:request "slow" -- nobody has asked for it yet
    local metrics = register()
    assert.equal(0, metrics:histograms().handlerTime.count)
    local function above_10_ms(histogram)
      local n = 0
      for i, count in ipairs(histogram.counts) do
        n = n + (i > 1 and histogram.bounds[i - 1] >= 0.01 and count or 0)
      end
      return n
    end
    local turns = above_10_ms(metrics:histograms().loopDelay)
    client:request "slow"
    painda.sleep(1)
    local found = metrics:histograms()
    assert.equal(1, found.handlerTime.count)
    assert.equal(1, above_10_ms(found.handlerTime))
    assert.is_true(found.handlerTime.sum >= 0.012)
    assert.is_true(above_10_ms(found.loopDelay) > turns)
    assert.equal(#found.loopDelay.bounds + 1, #found.loopDelay.counts)
  end)

  it("measures only what it is asked to", function()
    local metrics = register { handlerTime = false, loopDelay = false }
    server:on("x", function(_, _, ack)
      ack()
    end)
    support.connect(server):request "x"
    assert.equal(0, metrics:histograms().handlerTime.count)
    local found = parse(metrics:prometheus())
    assert.is_nil(found.painda_handler_duration_seconds)
    assert.is_nil(found.painda_event_loop_delay_seconds)
  end)

  it("writes Prometheus' text by promtool's rules", function()
    local metrics = register()
    server:on("x", function(client, _, ack)
      client:join "room"
      ack()
    end)
    local client = support.connect(server)
    for _ = 1, 20 do
      client:request "x"
    end
    local found = parse(metrics:prometheus())
    for _, metric in pairs(found) do
      assert.is_true(#metric.help > 10 and metric.type ~= nil and #metric.samples > 0, metric.name)
      if metric.type == "histogram" then
        check_histogram(metric)
      else
        assert.equal(1, #metric.samples)
        assert.is_true(metric.samples[1].value >= 0)
      end
    end
    assert.equal(20, check_histogram(found.painda_handler_duration_seconds))
    assert.equal(20, found.painda_messages_received_total.samples[1].value)
    assert.equal("counter", found.painda_messages_received_total.type)
    assert.same({ 1, "gauge" }, { found.painda_rooms.samples[1].value, found.painda_rooms.type })
    assert.equal(painda.version, found.painda_build_info.samples[1].labels.version)
  end)

  it("escapes labels, and takes a prefix", function()
    local odd = 'a "quoted"\\ back\nslash'
    local found = parse(register({ prefix = "game", labels = { zone = odd, node = 7 } }):prometheus())
    assert.same({ zone = odd, node = "7" }, found.game_clients.samples[1].labels)
    assert.equal(odd, found.game_handler_duration_seconds.samples[1].labels.zone)
  end)

  it("refuses what Prometheus would", function()
    local function refused(options)
      return support.message(server.register, server, painda.ppMetricsPlugin, options)
    end
    local by = 'plugin "pp-metrics": install failed: '
    assert.equal(by .. 'ppMetricsPlugin: "my game" can\'t begin the name of a metric', refused { prefix = "my game" })
    for _, name in ipairs { "le", "version", "__x", "a-b", "1a" } do
      assert.equal(('%sppMetricsPlugin: "%s" can\'t be the name of a label'):format(by, name),
        refused { labels = { [name] = "x" } })
    end
    assert.equal(by .. "ppMetricsPlugin: the label a is a string or a number, not a table",
      refused { labels = { a = {} } })
    assert.matches('ppMetricsPlugin has no option "lables", did you mean "labels"?', refused { lables = {} }, 1, true)
    assert.is_false(server:hasPlugin "pp-metrics")
    register()
  end)
end)
