// The rows "rooms", by Colyseus: node colyseus.mjs PORT rooms. See apps/rooms.lua, which does the same. Seats are
// reserved beforehand; where they are is written to BENCH_PATHS, one for each member.
import { writeFileSync } from "node:fs";
import { matchMaker, Room, Server } from "@colyseus/core";
import { Encoder, schema, t } from "@colyseus/schema";
import { WebSocketTransport } from "@colyseus/ws-transport";

const [ROOMS, CLIMB] = [+process.env.BENCH_ROOMS, process.env.BENCH_CLIMB];
const [MEMBERS, PLAYERS, MOVING, PERIOD] = [20, 20, 10, 1000 / 60];
const [FIRST, GROWTH, NEAR, STEP_MS, TRIES, CLIMB_MS] = [20, 1.4, 1.05, 450, 3, 10000];
const [LATE_MS, KEPT] = [4, 0.95];

const place = () => Math.floor(Math.random() * 4000) - 2000;
const Player = schema(
  { name: t.string(), x: t.float32(), y: t.float32(), vx: t.float32(), vy: t.float32(), hp: t.uint8() },
  "Player",
);
const State = schema({ players: t.map(Player) }, "State");
const ids = Array.from({ length: PLAYERS }, (_, i) => `p${i + 1}`);

const rooms = [];
let [late, since, joined, ended] = [[], performance.now(), 0, false];

function reset() {
  late = [];
  since = performance.now();
}

const lateAt = (share) => late.sort((a, b) => a - b)[Math.min(Math.floor(late.length * share), late.length - 1)] ?? 100;
const kept = (count) => (late.length * PERIOD) / (count * (performance.now() - since));
const report = (figures) => process.stdout.write(`${JSON.stringify(figures)}\n`);

class Arena extends Room {
  autoDispose = false;
  patchRate = null;
  seatReservationTimeout = 100; // seconds
  onCreate() {
    this.state = new State();
    for (const id of ids) {
      const player = new Player();
      Object.assign(player, { name: `player ${id}`, x: place(), y: place(), vx: 0.25, vy: 0.75, hp: 100 });
      this.state.players.set(id, player);
    }
    rooms.push(this);
  }
  begin() {
    let [first, last] = [0, undefined];
    this.patchRate = PERIOD;
    this.setSimulationInterval(() => {
      const at = performance.now();
      if (last !== undefined) late.push(at - last - PERIOD);
      last = at;
      for (let i = 1; i <= MOVING; i++) {
        const player = this.state.players.get(ids[(first + i) % PLAYERS]);
        player.x += player.vx;
        player.y += player.vy;
      }
      first += MOVING;
    }, PERIOD);
  }
  end() {
    this.patchRate = null;
    this.setSimulationInterval();
  }
  onJoin() {
    if (++joined === ROOMS * MEMBERS) setTimeout(CLIMB ? climb : hold, 200);
  }
  onLeave() {
    if (ended || CLIMB) return;
    ended = true;
    report({ p50_ms: lateAt(0.5), p99_ms: lateAt(0.99), kept: kept(ROOMS) });
  }
}

let awake = 0;
function wake(count) {
  while (awake < count) rooms[awake++].begin();
  while (awake > count) rooms[--awake].end();
}

function hold() {
  wake(ROOMS);
  setTimeout(reset, 1000);
}

function climb() {
  const begun = performance.now();
  let [good, bad, tries] = [0, ROOMS + 1, TRIES + 1]; // the first time all is still to be compiled
  const step = () => {
    const fine = lateAt(0.99) <= LATE_MS && kept(awake) >= KEPT;
    tries--;
    if (fine) good = awake;
    else if (tries === 0) bad = awake;
    const near = bad - good <= Math.max(good * (NEAR - 1), 1);
    if (near || performance.now() - begun > CLIMB_MS) return report({ rooms: good });
    if (fine || tries === 0) {
      wake(bad > ROOMS ? Math.min(Math.ceil(awake * GROWTH), ROOMS) : Math.floor((good + bad) / 2));
      tries = TRIES;
    }
    setTimeout(reset, 100);
    setTimeout(step, STEP_MS);
  };
  wake(FIRST);
  reset();
  setTimeout(step, STEP_MS);
}

Encoder.BUFFER_SIZE = 1 << 14;
const transport = new WebSocketTransport({ pingInterval: 0 });
const server = new Server({ transport, greet: false });
server.define("arena", Arena);
await matchMaker.accept?.();
const paths = [];
for (let i = 0; i < ROOMS; i++) {
  const room = await matchMaker.createRoom("arena", {});
  for (let k = 0; k < MEMBERS; k++) {
    const seat = await matchMaker.reserveSeatFor(room, {});
    paths.push(`/${room.processId}/${room.roomId}?sessionId=${seat.sessionId}`);
  }
}
writeFileSync(process.env.BENCH_PATHS, `${paths.join("\n")}\n`);
await server.listen(Number(process.argv[2]), "127.0.0.1");
