-- luacheck's view of the Lua here: LuaJIT, no globals of our own, busted's words in the specs.
std = "luajit"
max_line_length = 120
unused_args = false -- a callback names all that it is given, which documents it
exclude_files = { "build", "tests/e2e/node_modules", "tests/bench/peers/node_modules", "lua/painda/types" }
files["tests/spec"].std = "luajit+busted"
files["templates/*/spec"].std = "luajit+busted"
