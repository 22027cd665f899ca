-- What luacheck knows of this project: `painda check .` asks it too.
std = "luajit"
max_line_length = 120
unused_args = false -- a handler names all that it is given
exclude_files = { ".painda" }
files["spec"].std = "luajit+busted"
