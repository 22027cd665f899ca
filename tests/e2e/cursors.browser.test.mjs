// examples/cursors in real browser windows: each sees where the others point.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect, envelope, launchChromium, startServer } from "./painda.mjs";

const APP = "examples/cursors/app.lua";
const PATIENCE = 20_000;

let browser, server;

before(async () => {
  browser = await launchChromium();
  server = await startServer(APP);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function openWindow(to = server) {
  const context = await browser.newContext({ viewport: { width: 800, height: 600 } });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  await page.goto(to.url("/", "http"));
  return page;
}

async function enter(name, to) {
  const page = await openWindow(to);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Enter" }).click();
  await page.locator("#field").waitFor();
  return page;
}

async function leave(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
}

/** Waits until look() gives what is expected. */
async function becomes(look, expected) {
  const deadline = Date.now() + PATIENCE;
  for (let seen; (seen = await look()) !== expected; await new Promise((resolve) => setTimeout(resolve, 20)))
    assert.ok(Date.now() < deadline, `${seen}, not ${expected}`);
}

const names = (page) => page.locator("#people li").evaluateAll((all) => all.map((each) => each.textContent).sort().join());
const cursor = (page, name) => page.locator(".cursor", { hasText: name });
const position = (page, name) => cursor(page, name).evaluate((each) => each.style.translate);

describe("cursors", () => {
  test("are seen by the others, where they are", async () => {
    const ann = await enter("Ann");
    const bob = await enter("Bob");
    await becomes(() => names(ann), "Ann,Bob");
    await becomes(() => names(bob), "Ann,Bob");
    await ann.mouse.move(80, 60);
    await ann.mouse.move(200, 150, { steps: 10 });
    await becomes(() => position(bob, "Ann"), "200px 150px");
    await bob.mouse.move(400, 300);
    await becomes(() => position(ann, "Bob"), "400px 300px");
    assert.equal(await cursor(ann, "Ann").count(), 0, "nobody's own");
    await bob.setViewportSize({ width: 400, height: 300 });
    await becomes(() => position(bob, "Ann"), "100px 75px");
    await leave(ann);
    await becomes(() => names(bob), "Bob");
    assert.equal(await cursor(bob, "Ann").count(), 0);
    await leave(bob);
  });

  test("of those who have not moved are not shown", async () => {
    const ann = await enter("Ann");
    const peer = await connect(server);
    peer.send(envelope("hello", { name: "Still" }, { ackId: 1 }));
    await becomes(() => names(ann), "Ann,Still");
    assert.ok(await cursor(ann, "Still").isHidden());
    for (const bad of [{ x: 2, y: 0 }, { x: "1", y: 0 }, { x: 0.5 }, null, [1, 2]]) peer.send(envelope("move", bad));
    peer.send(envelope("move", { x: 0.5, y: 0.5 }));
    await becomes(() => position(ann, "Still"), "400px 300px");
    await peer.close();
    await becomes(() => names(ann), "Ann");
    await leave(ann);
  });

  test("have names that are text and never more", async () => {
    const ann = await enter("Ann");
    const eve = await enter("<b id=evil>x</b>");
    await becomes(() => names(ann), "<b id=evil>x</b>,Ann");
    assert.equal(await ann.locator("#evil").count(), 0);
    await leave(eve, ann);
    const nobody = await openWindow();
    await nobody.getByLabel("Your name").fill("   ");
    await nobody.getByRole("button", { name: "Enter" }).click();
    await nobody.getByRole("alert").getByText("a name has 1 to 24 characters").waitFor();
    await leave(nobody);
  });

  test("come back when the server does", async () => {
    const first = await startServer(APP);
    const ann = await enter("Ann", first);
    await first.stop();
    await ann.getByText("The line is gone").waitFor();
    const second = await startServer(APP, { args: ["--port", String(first.port)] });
    await becomes(() => names(ann), "Ann");
    await leave(ann);
    await second.stop();
  });
});
