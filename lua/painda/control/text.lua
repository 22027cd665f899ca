-- Text that came from strangers, made fit for a terminal: what one would obey, and what is not UTF-8, is spelled out.

local ipairs = ipairs

local _M = {}

local NAMED = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local WELL_FORMED = { -- anchored patterns of UTF-8's longer sequences
  "^[\195-\223][\128-\191]",
  "^\194[\160-\191]", -- below are control characters
  "^\224[\160-\191][\128-\191]",
  "^[\225-\236\238\239][\128-\191][\128-\191]",
  "^\237[\128-\159][\128-\191]",
  "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]",
  "^\244[\128-\143][\128-\191][\128-\191]",
}

local function spelled(byte)
  return NAMED[byte] or ("\\%03d"):format(byte:byte())
end

local function check_run(run)
  local out, at = {}, 1
  while at <= #run do
    local found
    for _, pattern in ipairs(WELL_FORMED) do
      found = run:match(pattern, at)
      if found then
        break
      end
    end
    out[#out + 1] = found or spelled(run:sub(at, at))
    at = at + (found and #found or 1)
  end
  return table.concat(out)
end

-- Control characters that the pattern `kept` matches stay.
function _M.harmless(text, kept)
  text = text:gsub("[%z\1-\31\127]", function(byte)
    return not (kept and byte:find(kept)) and spelled(byte) or nil
  end)
  return (text:gsub("[\128-\255]+", check_run))
end

return _M
