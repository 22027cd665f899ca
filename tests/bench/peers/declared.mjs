// The rows "declared", by @colyseus/schema: see apps/declared.lua, which does the same with the same numbers.
import { Encoder, schema, t } from "@colyseus/schema";

const [kind, PLAYERS, MOVING] = [process.env.BENCH_KIND, +process.env.BENCH_PLAYERS, +process.env.BENCH_MOVING]; // NaN: "row"
const inRow = Number.isNaN(MOVING);
const RUNS = 9;
const RUN_MS = 150;
const TICKS = 100;

let seed = 1;
function random() {
  seed = (seed * 16807) % 2147483647;
  return seed / 2147483647;
}

const place = () => (kind === "quantized" ? t.quantized({ min: -2048, max: 2048, bits: 16 }) : t.float32());
const Item = schema({ item: t.string(), count: t.uint8() }, "Item");
const Player = schema(
  {
    id: t.string(), name: t.string(), x: place(), y: place(), vx: t.float32(), vy: t.float32(), angle: t.float32(),
    hp: t.uint8(), team: t.string(), target: t.string(), alive: t.boolean(), crouched: t.boolean(),
    inventory: t.array(Item),
  },
  "Player",
);
const State = schema({ tick: t.uint32(), players: inRow ? t.array(Player) : t.map(Player) }, "State");

function player(i) {
  const one = new Player();
  Object.assign(one, {
    id: `p${String(i).padStart(3, "0")}`, name: `player number ${i}`, x: random() * 4096 - 2048, y: random() * 4096 - 2048,
    vx: random() * 16 - 8, vy: random() * 16 - 8, angle: random() * 6 - 3, hp: 100, team: "red", target: "p001",
    alive: true, crouched: false,
  });
  for (const [item, count] of [["sword", 1], ["arrow", 20]]) {
    const thing = new Item();
    Object.assign(thing, { item, count });
    one.inventory.push(thing);
  }
  return one;
}

const state = new State();
const ids = [];
for (let i = 1; i <= PLAYERS; i++) {
  const one = player(i);
  ids.push(one.id);
  if (inRow) state.players.push(one);
  else state.players.set(one.id, one);
}
Encoder.BUFFER_SIZE = 1 << 20;
const encoder = new Encoder(state);
const snapshot = encoder.encodeAll().length;
encoder.discardChanges();

let first = 0;
let total = 0;
let count = 0;
function move() {
  const players = state.players;
  for (let i = 1; i <= MOVING; i++) {
    const player = players.get(ids[(first + i * 7) % PLAYERS]);
    const x = player.x + random() * 16 - 8;
    const y = player.y + random() * 16 - 8;
    player.x = x > 2047 || x < -2047 ? 0 : x;
    player.y = y > 2047 || y < -2047 ? 0 : y;
  }
  first += 37;
}

function comeAndGo() {
  state.players.unshift(player(100 + (count % 900)));
  state.players.pop();
}

const change = inRow ? comeAndGo : move;
function tick() {
  change();
  total += encoder.encode().length;
  encoder.discardChanges();
  count++;
}

const times = [];
for (let run = 0; run < RUNS; run++) {
  let ticks = 0;
  let spent = 0;
  const begin = performance.now();
  while (spent < RUN_MS) {
    for (let i = 0; i < TICKS; i++) tick();
    ticks += TICKS;
    spent = performance.now() - begin;
  }
  times.push((spent * 1e6) / ticks);
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ tick_ns: times[RUNS >> 1], bytes: total / count, snapshot }));
