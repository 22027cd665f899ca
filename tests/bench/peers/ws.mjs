// The peer `ws`: node ws.mjs PORT echo|broadcast|idle
import { WebSocketServer } from "ws";

const [port, work] = process.argv.slice(2);
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false });

const handlers = {
  echo: (socket) => (data) => {
    const { type, payload } = JSON.parse(data);
    socket.send(JSON.stringify({ type, payload }));
  },
  broadcast: () => (data, isBinary) => {
    for (const client of server.clients) client.send(data, { binary: isBinary });
  },
  idle: () => () => {},
};

server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", handlers[work](socket));
});
