// examples/recovery in a real browser: a feed whose line is cut shows no gap.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchChromium, startServer } from "./painda.mjs";

const PATIENCE = 20_000;

let browser, server;

before(async () => {
  browser = await launchChromium();
  server = await startServer("examples/recovery/app.lua");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function openWindow() {
  const context = await browser.newContext({ viewport: { width: 600, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  await page.goto(server.url("/", "http"));
  await page.locator('#state[data-is="open"]').waitFor();
  return page;
}

const number = async (page, id) => Number(await page.locator(`#${id}`).textContent());

/** The numbers in the feed, oldest first. */
const feed = (page) =>
  page.locator("#feed li:not(.note)").evaluateAll((all) => all.map((each) => parseInt(each.textContent)).reverse());

async function becomes(look, wanted, what) {
  const deadline = Date.now() + PATIENCE;
  while (!wanted(await look())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function cutFor(page, seconds) {
  await page.getByLabel("seconds").fill(String(seconds));
  await page.getByRole("button", { name: "Cut the line" }).click();
  await page.locator('#state[data-is="away"]').waitFor();
  await page.locator('#state[data-is="open"]').waitFor();
}

describe("recovery", () => {
  test("shows no gap when the line was cut", async () => {
    const page = await openWindow();
    await becomes(() => number(page, "received"), (n) => n >= 2, "news");
    for (let cuts = 1; cuts <= 3; cuts++) {
      await cutFor(page, cuts === 2 ? 1 : 0);
      assert.equal(await number(page, "cuts"), cuts);
    }
    await becomes(() => number(page, "missed"), (n) => n >= 2, "what was missed");
    const before = await number(page, "received");
    await becomes(() => number(page, "received"), (n) => n > before + 2, "what is new");
    const numbers = await feed(page);
    assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i), "one after the other");
    assert.equal(await number(page, "wrong"), 0);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });

  test("brings what somebody said meanwhile", async () => {
    const ann = await openWindow(), bob = await openWindow();
    await bob.getByLabel("Say something to all").fill("first, so that this page is answered in text");
    await bob.getByRole("button", { name: "Send" }).click();
    await ann.getByText("so that this page").waitFor();
    await ann.getByLabel("seconds").fill("1");
    await ann.getByRole("button", { name: "Cut the line" }).click();
    await bob.getByLabel("Say something to all").fill("did you miss me?");
    await bob.getByRole("button", { name: "Send" }).click();
    await ann.locator("li.late", { hasText: "did you miss me?" }).waitFor();
    await cutFor(bob, 0);
    await bob.getByText("did you miss me?").waitFor();
    for (const page of [ann, bob]) {
      assert.equal(await number(page, "wrong"), 0);
      assert.deepEqual(page.problems, []);
      await page.context().close();
    }
  });
});
