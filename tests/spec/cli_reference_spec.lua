-- docs/api/cli.md says what --help says: its tables are written from those of the commands. `scripts/docs` writes them.

local commands = require "painda.cli.commands"
local reference = require "painda.cli.reference"

local PAGE = "docs/api/cli.md"

local function read()
  local file = assert(io.open(PAGE))
  local text = file:read "*a"
  file:close()
  return text
end

describe("the reference of the command line", function()
  if os.getenv "PAINDA_WRITE_DOCS" then
    setup(function()
      local text = reference.rewrite(read())
      local file = assert(io.open(PAGE, "w"))
      file:write(text)
      file:close()
    end)
  end

  it("is up to date (scripts/docs)", function()
    assert.equal(reference.rewrite(read()), read())
  end)

  it("has every command, and the options of each", function()
    local text = read()
    assert.truthy(text:find("<!-- commands -->", 1, true))
    for _, command in ipairs(commands) do
      assert.truthy(text:find("painda " .. command.name, 1, true), command.name)
      if #command.options > 0 then
        assert.truthy(text:find("<!-- options of " .. command.name .. " -->", 1, true), command.name)
      end
    end
  end)

  it("is written from the tables", function()
    local text = reference.rewrite "<!-- options of stats -->\nold\n<!-- end -->\n<!-- other -->\nkept\n<!-- end -->"
    assert.truthy(text:find("| `--interval MS` | time between two looks (1000) |", 1, true))
    assert.is_nil(text:find("old", 1, true))
    assert.truthy(text:find("<!-- other -->\nkept\n<!-- end -->", 1, true))
    assert.equal(text, reference.rewrite(text))
  end)
end)
