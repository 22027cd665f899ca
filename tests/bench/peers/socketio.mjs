// The peer `socket.io`: node socketio.mjs PORT echo|broadcast|idle
import { Server } from "socket.io";

const [port, work] = process.argv.slice(2);
const io = new Server(Number(port), { transports: ["websocket"], perMessageDeflate: false, serveClient: false });

const handlers = {
  echo: (socket) => (value) => socket.emit("echo", value),
  broadcast: () => (value) => io.emit("echo", value),
  idle: () => () => {},
};

io.on("connection", (socket) => socket.on("echo", handlers[work](socket)));
