// examples/arena in two real browser windows: both see the same world, tick for tick. PP_SCREENSHOT=docs/images/arena.png
// takes a picture of it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchChromium, startServer } from "./painda.mjs";

const PATIENCE = 20_000;
let browser, server;

before(async () => {
  browser = await launchChromium();
  server = await startServer("examples/arena/app.lua");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function openWindow(viewport = { width: 900, height: 900 }) {
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  await page.goto(server.url("/", "http"));
  await page.waitForFunction(() => window.arena?.known.version > 0 && window.arena.self);
  return page;
}

/** Hashes of the states of these versions, once the last of them is there. */
async function hashes(page, versions) {
  await page.waitForFunction((last) => window.arena.known.version >= last, versions.at(-1));
  return page.evaluate((all) => all.map((version) => window.arena.hash(version)), versions);
}

describe("the arena", () => {
  test("is the same world in two windows", async () => {
    const one = await openWindow();
    const other = await openWindow();
    const from = await other.evaluate(() => window.arena.known.version);
    await one.mouse.move(300, 300);
    await one.mouse.move(500, 500, { steps: 5 });
    const versions = [5, 20, 40, 60].map((n) => from + n);
    const [left, right] = await Promise.all([hashes(one, versions), hashes(other, versions)]);
    assert.deepEqual(left, right);
    assert.equal(new Set(left).size, 4, "and it moves");
    assert.ok(left.every((each) => each !== undefined));
    const players = await one.evaluate(() => Object.keys(window.arena.known.state.players).length);
    assert.equal(players, 102);
    await other.context().close();
    await one.waitForFunction(() => Object.keys(window.arena.known.state.players).length === 101);
    await one.waitForFunction(() => document.getElementById("tick").textContent.endsWith(" ms"));
    assert.deepEqual(one.problems, []);
    await one.context().close();
  });

  test("takes a runner where its pointer is", async () => {
    const page = await openWindow();
    const box = await page.locator("canvas").boundingBox();
    await page.mouse.move(box.x + box.width / 4, box.y + box.height / 2);
    await page.waitForFunction(() => {
      const { known, self } = window.arena;
      const me = known.state.players[self];
      return me && Math.abs(me.x - 250) < 10 && Math.abs(me.y - 500) < 10;
    });
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
});

async function takePicture(path) {
  const page = await openWindow({ width: 1120, height: 720 });
  const box = await page.locator("canvas").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForTimeout(40_000); // until the panel has something to plot
  await page.screenshot({ path });
  await page.context().close();
}

if (process.env.PP_SCREENSHOT) test("a picture", () => takePicture(process.env.PP_SCREENSHOT));
