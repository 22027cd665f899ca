-- JSON as the message path reads and writes it: strict, bounded, arrays marked.
--
--   local value, err = json.decode(text)     local text, err = json.encode(value)

return require "painda.core.json"
