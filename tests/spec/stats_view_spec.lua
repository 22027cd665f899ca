-- What `painda stats` draws on terminals of any size.

local view = require "painda.stats_view"

local function sample()
  return {
    application = "/srv/a/rather/long/path/to/an/app.lua", pid = 4711, generation = 3, generationsAlive = 1, cpu = 1,
    memory = 12345678, luaMemory = 2345678, gcLongestPauseMs = 0.25, handlersWaiting = 0, handlerErrors = 0,
    tasksWaiting = 0,
    servers = { { port = 3000, uptime = 60, clients = 7, rooms = 0, messagesReceived = 123456, messagesSent = 0,
      bytesReceived = 98765432, bytesSent = 0 } },
  }
end

local function screen(columns, rows)
  local before = sample()
  before.servers[1].messagesReceived = 23456
  return view.screen(sample(), before, 1, columns, rows)
end

describe("the screen of painda stats", function()
  it("is never larger than the terminal", function()
    for columns = 20, 100, 7 do
      for rows = 4, 40, 3 do
        local lines = screen(columns, rows)
        assert.is_true(#lines < rows)
        for _, line in ipairs(lines) do
          assert.is_true(#line - (line:find "…" and 2 or 0) < columns, line)
        end
      end
    end
  end)

  it("shows values and rates on 40 columns", function()
    local text = table.concat(screen(40, 60), "\n")
    assert.matches("\n  messages in %s+123,456 +100,000\n", text)
    assert.matches("\n  bytes in %s+94.2 MiB +0 B\n", text)
    assert.matches("app.lua", text)
    assert.matches("0.%d ms", text)
  end)

  it("leaves out what is 0 where it is low, and says what is missing", function()
    local low = table.concat(screen(80, 10), "\n")
    assert.matches("clients +7", low)
    assert.matches("messages in +123,456", low)
    assert.is_nil(low:find("rooms", 1, true))
    local high = table.concat(screen(80, 40), "\n")
    assert.matches("rooms +0", high)
    assert.matches("\n… %d+ more: %-%-once shows all$", table.concat(screen(80, 6), "\n"))
  end)
end)
