-- What is wrong with a source that does not compile, where the compiler's own words do not say.

local _M = {}

-- `wrong` is what the compiler said of `text`: the same, or more. A NUL byte is seen in no editor, nor in a message.
function _M.why(text, wrong)
  local at = wrong and not text:find "^\27" and text:find("%z")
  local place = at and wrong:match "^[^\n]*:%d+: unexpected symbol"
  if not place then
    return wrong
  end
  local _, lines = text:sub(1, at):gsub("\n", "")
  return ("%s: there is a NUL byte in line %d"):format(place, lines + 1)
end

return _M
