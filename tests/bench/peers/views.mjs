// The row "views", by @colyseus/schema: the entities of apps/views.lua and their moves, and for each member a StateView of
// those that were near it at first. They stay the same, since it has nothing that finds what is near: only the moves and
// the encoding are in the time.
import { Encoder, StateView, schema, t } from "@colyseus/schema";

const [ENTITIES, MEMBERS, RADIUS, SIDE, WARMUP, TICKS] = [1000, 500, 760, 4096, 5, 40];

let seed = 1;
function random() {
  seed = (seed * 16807) % 2147483647;
  return seed / 2147483647;
}

const quantized = process.env.BENCH_FORM === "quantized";
const place = () => (quantized ? t.quantized({ min: 0, max: SIDE, bits: 16 }) : t.float32());
const Player = schema({ x: place(), y: place() }, "Player");
const State = schema({ players: t.map(Player).view() }, "State");

Encoder.BUFFER_SIZE = 8 << 20;
const state = new State();
const encoder = new Encoder(state);
const players = [];
for (let i = 1; i <= ENTITIES; i++) {
  const player = new Player();
  Object.assign(player, { x: random() * SIDE, y: random() * SIDE });
  state.players.set(`p${String(i).padStart(4, "0")}`, player);
  players.push(player);
}

let seen = 0;
const views = players.slice(0, MEMBERS).map((own) => {
  const view = new StateView();
  for (const player of players)
    if ((player.x - own.x) ** 2 + (player.y - own.y) ** 2 <= RADIUS ** 2) {
      view.add(player);
      seen++;
    }
  return view;
});

// What each is sent; copied, since the next is written into the same memory.
function encode() {
  const it = { offset: 0 };
  encoder.encode(it);
  const shared = it.offset;
  let bytes = 0;
  for (const view of views) bytes += Buffer.from(encoder.encodeView(view, shared, it)).length;
  encoder.discardChanges();
  return bytes;
}

function moved(at, step) {
  const there = at + step * 16 - 8;
  return there < 0 || there > SIDE ? at : there;
}

function tick() {
  for (const player of players) {
    player.x = moved(player.x, random());
    player.y = moved(player.y, random());
  }
  return encode();
}

const times = [];
let total = 0;
for (let n = 0; n < WARMUP + TICKS; n++) {
  const begin = performance.now();
  const bytes = tick();
  if (n >= WARMUP) {
    times.push((performance.now() - begin) * 1e6);
    total += bytes;
  }
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ tick_ns: times[TICKS >> 1], bytes: total / TICKS / MEMBERS, seen: seen / MEMBERS }));
