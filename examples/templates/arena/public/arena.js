// The page keeps the room's state: all of it once, then what changes. Every message is JSON: {type, payload}.

const canvas = document.getElementById("field");
const pen = canvas.getContext("2d");
const forbidden = new Set(["__proto__", "constructor", "prototype"]);
let socket, state = { players: {} }, mine = "";

// Deltas of objects: a key that is missing did not change, and {__pp_deleted: true} was removed. (Lists have operations of their
// own, which this state does not need: docs/api/deltas.md.)
function patch(target, delta) {
  for (const [key, change] of Object.entries(delta)) {
    if (forbidden.has(key)) continue;
    if (change?.__pp_deleted) delete target[key];
    else if (change && typeof change === "object" && target[key] && typeof target[key] === "object") patch(target[key], change);
    else target[key] = change;
  }
}

const on = {
  __pp_ack: ({ error, args: [answer] }) => (error ? alert(error.message) : (mine = answer.id)),
  __pp_room_state: (told) => (state = told.state),
  __pp_room_delta: (told) => patch(state, told.delta),
};

function send(type, payload, ack) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type, payload, __ackId: ack }));
}

function connect() {
  socket = new WebSocket(location.origin.replace(/^http/, "ws"));
  socket.onopen = () => send("play", { name: `player ${Math.floor(Math.random() * 100)}` }, 1);
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return; // frames, until the server has heard text from us
    const { type, payload } = JSON.parse(data);
    on[type]?.(payload);
  };
  socket.onclose = () => setTimeout(connect, 1000);
}

canvas.onpointerdown = (event) => {
  const box = canvas.getBoundingClientRect();
  const at = (value, from, length) => Math.min(1000, Math.max(0, ((value - from) / length) * 1000));
  send("aim", { x: at(event.clientX, box.left, box.width), y: at(event.clientY, box.top, box.height) });
};

function draw() {
  pen.clearRect(0, 0, 1000, 1000);
  pen.font = "24px system-ui";
  pen.textAlign = "center";
  for (const [id, player] of Object.entries(state.players)) {
    pen.fillStyle = id === mine ? "#5b5bd6" : "#8a8a8a";
    pen.beginPath();
    pen.arc(player.x, player.y, 16, 0, 2 * Math.PI);
    pen.fill();
    pen.fillText(player.name, player.x, player.y - 24);
  }
  requestAnimationFrame(draw);
}

connect();
draw();
