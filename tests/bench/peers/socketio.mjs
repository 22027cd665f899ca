// The peer `socket.io`: node socketio.mjs PORT echo|broadcast|room|middleware|idle|storm
import { Server } from "socket.io";

const OUTSIDE = 9000; // of the row "room": the first that connect stay outside, as in apps/room.lua

const [port, work] = process.argv.slice(2);
const io = new Server(Number(port), {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
  ...(work === "storm" && { connectionStateRecovery: { maxDisconnectionDuration: 120000 } }),
});
let connected = 0;

const handlers = {
  echo: (socket) => (value) => socket.emit("echo", value),
  broadcast: () => (value) => io.emit("echo", value),
  room: (socket) => {
    if (++connected > OUTSIDE) socket.join("room");
    return (value) => io.to("room").emit("echo", value);
  },
  middleware: (socket) => {
    for (let i = 0; i < 3; i++) socket.use((_, next) => setTimeout(next, 10));
    return (value) => socket.emit("echo", value);
  },
  idle: () => () => {},
};

io.on("connection", (socket) => {
  if (work === "storm") {
    socket.on("ping", (value, ack) => ack(value));
    socket.on("all", (value) => io.emit("echo", value));
  } else {
    socket.on("echo", handlers[work](socket));
  }
});
