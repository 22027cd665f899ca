// The page: keeps the room's state up to date from delta to delta, and draws it, each runner on its way from where it was
// to where it is.
import { State } from "./state.mjs";

const KEPT = 600; // states, for whoever compares windows
const byId = (id) => document.getElementById(id);
const canvas = byId("field");

const known = { read: undefined, state: undefined, version: -1, before: undefined, at: 0, asked: false };
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

function resync(reason) {
  if (known.asked) return;
  known.asked = true;
  send("__pp_room_resync", { room: "arena", reason });
}

/** The three frames of a room's state; there is one room, so its number says nothing new. */
const framed = {
  0xff00(bytes) {
    known.read = new State(bytes.subarray(1 + bytes[0])); // behind the name
  },
  0xff01(bytes) {
    known.asked = false;
    known.read.load(bytes);
    states.clear();
    take(known.read.plain(), known.read.version);
  },
  0xff02(bytes) {
    if (known.asked) return;
    try {
      if (!known.read.apply(bytes)) return resync("gap");
    } catch {
      return resync("delta");
    }
    take(known.read.plain(), known.read.version);
    traffic.deltas++;
  },
};

const heard = {
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

// --- the panel: what comes in a second, what whole states would have been, and the server's work

const history = [];

/** Draws these figures on one scale, which ends at the largest of them, or `least`. */
function plot(keys, least) {
  const most = Math.max(least, ...history.flatMap((each) => keys.map((key) => each[key])));
  for (const key of keys) {
    const points = history.map((each, i) => `${i * 2},${40 - (each[key] / most) * 38}`);
    byId(`plot-${key}`).setAttribute("points", points.join(" "));
  }
}

setInterval(() => {
  traffic.whole = known.state ? JSON.stringify(known.state).length * traffic.deltas : 0;
  byId("bytes").textContent = `${(traffic.bytes / 1024).toFixed(1)} KiB/s`;
  byId("whole").textContent = `${(traffic.whole / 1024).toFixed(1)} KiB/s`;
  byId("deltas").textContent = traffic.deltas;
  history.push({ bytes: traffic.bytes, whole: traffic.whole, tick: parseFloat(byId("tick").textContent) || 0 });
  if (history.length > 60) history.shift();
  plot(["bytes", "whole"], 1);
  plot(["tick"], 0.01);
  Object.assign(traffic, { bytes: 0, whole: 0, deltas: 0 });
}, 1000);

// --- the line, which comes back

const bodyOf = async (frame) => {
  const compressed = new DataView(frame).getUint16(6) & 4;
  if (!compressed) return new Uint8Array(frame, 16);
  const stream = new Blob([frame.slice(16)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

async function hear(data) {
  if (typeof data === "string") {
    const { type, payload } = JSON.parse(data);
    return heard[type]?.(payload);
  }
  const body = await bodyOf(data);
  let at = 0;
  while (body[at] & 128) at++; // the room's number
  framed[new DataView(data).getUint16(12)]?.(body.subarray(at + 1));
}

function connect() {
  const url = new URL("?pp_caps=state", location.href.replace(/^http/, "ws"));
  let turn = Promise.resolve(); // one after the other, though unpacking one takes its time
  line = new WebSocket(url);
  line.binaryType = "arraybuffer";
  line.onopen = () => {
    delay = 500;
    byId("state").textContent = "Move the pointer: you run after it.";
    send("hello", null, 1);
  };
  line.onmessage = ({ data }) => {
    traffic.bytes += data.byteLength ?? data.length;
    turn = turn.then(() => hear(data));
  };
  line.onclose = () => {
    Object.assign(known, { state: undefined, before: undefined, version: -1, asked: false });
    byId("state").textContent = "The line is gone. Trying again …";
    setTimeout(connect, delay);
    delay = Math.min(delay * 2, 8000);
  };
}
connect();
