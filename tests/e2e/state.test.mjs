// The page of examples/arena reads declared states: it is held to the golden vectors.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { State } from "../../examples/arena/public/state.mjs";

const root = new URL("../../", import.meta.url);
const vectors = JSON.parse(await readFile(new URL("sdk/vectors/state.json", root)));
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));

/** Equal, but for what JSON's digits of a float32 or of a step leave out. */
function near(a, b) {
  if (typeof a === "number") return typeof b === "number" && Math.abs(a - b) <= 5e-3 + Math.abs(b) * 1e-6;
  if (typeof a !== "object") return a === b;
  return Object.keys(a).length === Object.keys(b).length && Object.keys(a).every((key) => key in b && near(a[key], b[key]));
}

for (const { name, schema, begin, steps } of vectors) {
  test(`the page reads ${name}`, () => {
    const state = new State(bytes(schema));
    state.load(bytes(begin.snapshot));
    for (const step of [begin, ...steps]) {
      if (step.delta) assert.equal(state.apply(bytes(step.delta)), true);
      assert.equal(state.version, step.version ?? 0);
      if (step.state) assert.ok(near(state.plain(), step.state), `${JSON.stringify(state.plain())} is not ${JSON.stringify(step.state)}`);
      if (!step.snapshot) continue;
      const again = new State(bytes(schema));
      again.load(bytes(step.snapshot));
      assert.deepEqual(again.plain(), state.plain());
    }
  });
}

test("the page notices a missing delta", () => {
  const [{ schema, begin, steps }] = vectors;
  const state = new State(bytes(schema));
  assert.equal(state.apply(bytes(steps[0].delta)), false);
  state.load(bytes(begin.snapshot));
  assert.equal(state.apply(bytes(steps[1].delta)), false);
  assert.throws(() => state.apply(Uint8Array.of(1, 255)));
});
