-- A number as frames have it: unsigned LEB128.

local floor, char = math.floor, string.char

local function varint(value)
  if value < 128 then
    return char(value)
  end
  return char(value % 128 + 128) .. varint(floor(value / 128))
end

return varint
