-- {{NAME}}: what the server does with each client that comes.
local painda = require "painda"
local greeting = require "greeting"

local server = painda.PPServer { port = 3000 }
greeting.serve(server)
