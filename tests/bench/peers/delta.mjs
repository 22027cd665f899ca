// What of a state changed, as JSON text, by another library: node delta.mjs jsondiffpatch|fast-json-patch STATE. Prints
// nanoseconds and bytes for each case of ../apps/delta.lua, the median of the runs. That both states are there is not
// counted: a game that changes its state in place would have to copy it as well.
import { readFileSync } from "node:fs";

const RUNS = 9;
const RUN_MS = 100;
const text = readFileSync(process.argv[3], "utf8");

const rounded = (number) => Math.floor(number * 1000 + 0.5) / 1000;
const copy = (value) => JSON.parse(JSON.stringify(value));

function stateOf(count, moving) {
  const state = JSON.parse(text);
  const some = state.players.length;
  for (let i = 0; i < count; i++) {
    const player = i < some ? state.players[i] : copy(state.players[i - some]);
    state.players[i] = player;
    player.id = `p${String(i + 1).padStart(5, "0")}`;
    player.title = "the knight of the ridge ".repeat(2);
    if (moving > 0 && i % moving === 0) {
      player.x = rounded(player.x + 1.25);
      player.y = rounded(player.y - 0.5);
    }
  }
  return state;
}

function oneMore(state) {
  state.players.unshift({ ...copy(state.players[0]), id: "p99999" });
  return state;
}

function changed(state) {
  for (const player of state.players) {
    player.x = rounded(player.x + 1.25);
    player.y = rounded(player.y - 0.5);
    player.vx = rounded(player.vx + 0.5);
    player.vy = rounded(player.vy + 0.25);
    player.angle /= 2;
    player.hp += 1;
  }
  return state;
}

const CASES = {
  moved: [stateOf(100, 0), stateOf(100, 10)],
  large: [stateOf(1000, 0), stateOf(1000, 10)],
  insert: [stateOf(100, 0), oneMore(stateOf(100, 0))],
  same: [stateOf(100, 0), stateOf(100, 0)],
  all: [stateOf(100, 0), changed(stateOf(100, 0))],
};

const LIBRARIES = {
  async jsondiffpatch() {
    const { create } = await import("jsondiffpatch");
    const differ = create({ objectHash: (object, index) => object.id ?? `$$index:${index}` }); // as its manual says
    return (before, after) => JSON.stringify(differ.diff(before, after));
  },
  async "fast-json-patch"() {
    const { default: library } = await import("fast-json-patch");
    return (before, after) => {
      const operations = library.compare(before, after);
      return operations.length > 0 ? JSON.stringify(operations) : undefined;
    };
  },
};

let kept; // the results stay visible, so no call can be left out as dead

function measure(diff, before, after) {
  const times = [];
  for (let run = 0; run < RUNS; run++) {
    let count = 0;
    const begin = performance.now();
    let spent = 0;
    while (spent < RUN_MS) {
      for (let i = 0; i < 5; i++) {
        kept = diff(after, before);
        kept = diff(before, after);
      }
      count += 10;
      spent = performance.now() - begin;
    }
    times.push((spent * 1e6) / count);
  }
  return times.sort((a, b) => a - b)[RUNS >> 1];
}

const diff = await LIBRARIES[process.argv[2]]();
const figures = { state_bytes: JSON.stringify(CASES.moved[0]).length };
for (const [name, [before, after]] of Object.entries(CASES)) {
  figures[`${name}_ns`] = measure(diff, before, after);
  figures[`${name}_bytes`] = kept?.length ?? 0;
}
console.log(JSON.stringify(figures));
