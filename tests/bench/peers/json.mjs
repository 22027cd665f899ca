// Node's own JSON on state.json: node json.mjs STATE. Prints nanoseconds an operation, the median of the runs.
import { readFileSync } from "node:fs";

const RUNS = 9;
const RUN_MS = 150;
const text = readFileSync(process.argv[2], "utf8");
let kept; // the results stay visible, so no call can be left out as dead

function measure(operation) {
  const times = [];
  for (let run = 0; run < RUNS; run++) {
    let count = 0;
    const begin = performance.now();
    let spent = 0;
    while (spent < RUN_MS) {
      for (let i = 0; i < 50; i++) kept = operation();
      count += 50;
      spent = performance.now() - begin;
    }
    times.push((spent * 1e6) / count);
  }
  return times.sort((a, b) => a - b)[RUNS >> 1];
}

function leaves(value) {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum, child) => sum + leaves(child), 0);
}

const value = JSON.parse(text);
const decode = measure(() => JSON.parse(text));
const encode = measure(() => JSON.stringify(value));
console.log(JSON.stringify({ decode_ns: decode, encode_ns: encode, leaves: leaves(value), bytes: kept.length }));
