// The page: keeps the room's state up to date from delta to delta, and draws it, each runner on its way from where it was
// to where it is.
import { patch } from "./patch.js";

const KEPT = 600; // states, for whoever compares windows
const byId = (id) => document.getElementById(id);
const canvas = byId("field");

const known = { state: undefined, version: -1, before: undefined, at: 0, asked: false };
const states = new Map(); // version → state; they share what did not change
const traffic = { bytes: 0, whole: 0, deltas: 0 };
let line;
let self;
let delay = 500;

const send = (type, payload, ackId) => line.send(JSON.stringify({ type, payload, __ackId: ackId }));

// --- the state

function take(state, version) {
  known.before = known.state;
  known.state = state;
  known.version = version;
  known.at = performance.now();
  states.set(version, state);
  states.delete(version - KEPT);
}

function resync() {
  if (known.asked) return;
  known.asked = true;
  send("__pp_room_resync", { room: "arena" });
}

const heard = {
  __pp_room_state({ state, version }) {
    known.asked = false;
    states.clear();
    take(state, version);
  },
  __pp_room_delta({ delta, version, from = version - 1 }) {
    if (known.asked || (from !== known.version && version <= known.version)) return;
    if (from !== known.version) return resync();
    try {
      take(patch(known.state, delta), version);
      traffic.deltas++;
    } catch {
      resync();
    }
  },
  __pp_ack({ args, error }) {
    if (error) byId("state").textContent = error.message;
    else self = args[0].id;
  },
  info({ tickMs, members }) {
    byId("tick").textContent = `${tickMs.toFixed(2)} ms`;
    byId("members").textContent = members;
  },
};

/** A hash of the state of that version, for whoever compares windows; undefined where that is not known any more. */
function hash(version) {
  const sorted = (_, value) =>
    value && typeof value === "object" && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort()) : value;
  if (!states.has(version)) return undefined;
  const text = JSON.stringify(states.get(version), sorted);
  let sum = 0x811c9dc5; // FNV-1a
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return `${sum.toString(16)}:${text.length}`;
}
window.arena = { known, states, hash, get self() { return self; } };

// --- drawing

const context = canvas.getContext("2d");

function draw() {
  requestAnimationFrame(draw);
  if (!known.state) return;
  const scale = canvas.width / known.state.size;
  const part = Math.min(1, (performance.now() - known.at) / (1000 / 60));
  context.clearRect(0, 0, canvas.width, canvas.height);
  for (const [id, player] of Object.entries(known.state.players)) {
    const was = known.before?.players[id] ?? player;
    const x = (was.x + (player.x - was.x) * part) * scale;
    const y = (was.y + (player.y - was.y) * part) * scale;
    context.fillStyle = `hsl(${player.hue} 70% 55%)`;
    context.beginPath();
    context.arc(x, y, id === self ? 10 : 6, 0, 7);
    context.fill();
    if (id === self) context.stroke();
  }
}
requestAnimationFrame(draw);

canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
  if (line?.readyState !== WebSocket.OPEN || !known.state) return;
  const scale = known.state.size / canvas.clientWidth;
  send("aim", { x: Math.round(offsetX * scale), y: Math.round(offsetY * scale) });
});

// --- the panel: what comes in a second, and what whole states would have been

const history = [];

setInterval(() => {
  traffic.whole = known.state ? JSON.stringify(known.state).length * traffic.deltas : 0;
  byId("bytes").textContent = `${(traffic.bytes / 1024).toFixed(1)} KiB/s`;
  byId("whole").textContent = `${(traffic.whole / 1024).toFixed(1)} KiB/s`;
  byId("deltas").textContent = traffic.deltas;
  history.push({ bytes: traffic.bytes, whole: traffic.whole });
  if (history.length > 60) history.shift();
  const most = Math.max(1, ...history.map(({ bytes, whole }) => Math.max(bytes, whole)));
  const points = (key) => history.map((each, i) => `${i * 2},${40 - (each[key] / most) * 38}`).join(" ");
  byId("plot-bytes").setAttribute("points", points("bytes"));
  byId("plot-whole").setAttribute("points", points("whole"));
  Object.assign(traffic, { bytes: 0, whole: 0, deltas: 0 });
}, 1000);

// --- the line, which comes back

function connect() {
  line = new WebSocket(location.href.replace(/^http/, "ws"));
  line.onopen = () => {
    delay = 500;
    byId("state").textContent = "Move the pointer: you run after it.";
    send("hello", null, 1);
  };
  line.onmessage = ({ data }) => {
    traffic.bytes += data.length;
    const { type, payload } = JSON.parse(data);
    heard[type]?.(payload);
  };
  line.onclose = () => {
    Object.assign(known, { state: undefined, before: undefined, version: -1, asked: false });
    byId("state").textContent = "The line is gone. Trying again …";
    setTimeout(connect, delay);
    delay = Math.min(delay * 2, 8000);
  };
}
connect();
