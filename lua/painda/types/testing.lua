---@meta painda.testing
-- For editors only: what painda.testing offers. Never loaded.

---@class painda.testing
local testing = {}

---Options of PPServer, and these.
---@class painda.testing.EnvOptions: painda.PPServer.Options
---@field real? boolean clients are PPClients over sockets, default false
---@field clock? boolean the clock stands still until it is moved, default true

---@class painda.testing.Clock
local Clock = {}

---@return number ms since the environment was made
function Clock:now() end

---Moves the clock and waits until all that falls into this time has happened. 0 lets what is under way come to rest.
---@param ms integer
function Clock:advance(ms) end

---@class painda.testing.Env
---@field server painda.PPServer
---@field clock painda.testing.Clock
---@field url string
---@field client painda.PPVirtualClient | painda.PPClient connected when it is first asked for
---@field clients (painda.PPVirtualClient | painda.PPClient)[]
local Env = {}

---One more connected client.
---@param options? table of the client; real = true asks for a PPClient
---@return painda.PPVirtualClient | painda.PPClient
function Env:connect(options) end

---Closes the clients and the server, and gives the clock back.
function Env:close() end

---@class painda.testing.Collected
local Collected = {}

---Waits until there are n messages; raises after `timeout` ms of real time.
---@param n integer
---@param timeout? number ms, default 2000
---@return painda.testing.Collected
function Collected:wait(n, timeout) end

---A server on a free port, a clock that stands still, and clients. Under `painda test` it ends with the test.
---@param options? painda.testing.EnvOptions
---@return painda.testing.Env
function testing.createTestEnv(options) end

---@param of painda.testing.Env | painda.PPServer
---@param n integer
---@param options? table of the clients; real = true asks for PPClients
---@return (painda.PPVirtualClient | painda.PPClient)[]
function testing.createTestClients(of, n, options) end

---The first message of that type that no wait has taken, now or when it comes. Raises after `timeout` ms of real time,
---and says what came instead.
---@param client table
---@param wanted? string | fun(message: painda.PPClient.Message): boolean
---@param timeout? number ms, default 2000
---@return painda.PPClient.Message
---@return painda.PPClient.Ack
function testing.waitForMessage(client, wanted, timeout) end

---A list that grows by each such message from here on; with a number, waits for so many and returns them.
---@param client table
---@param wanted? string | integer | fun(message: painda.PPClient.Message): boolean
---@param timeout? number ms, where a number is wanted; default 2000
---@return painda.testing.Collected
function testing.collectMessages(client, wanted, timeout) end

---Calls the predicate until it returns something true, and returns that. Raises after `timeout` ms of real time.
---@generic T
---@param predicate fun(): T?
---@param timeout? number ms, default 2000
---@return T
function testing.waitFor(predicate, timeout) end

return testing
