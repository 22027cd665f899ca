// examples/chat in real browser windows: what people who chat see. PP_SCREENSHOT=docs/images/chat.png takes the README's picture.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { connect, envelope, launchChromium, startServer } from "./painda.mjs";

const APP = "examples/chat/app.lua";
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

/** A window of its own (nothing is shared with the others) on the chat's page. What the page's script says is wrong fails the test. */
async function openWindow(to = server, options = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 620 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  await page.goto(to.url("/", "http"));
  return page;
}

async function enter(page, name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
}

async function join(name, to, options) {
  const page = await openWindow(to, options);
  await enter(page, name);
  await page.locator("#room").waitFor();
  return page;
}

async function say(page, text) {
  await page.getByLabel("Message").fill(text);
  await page.getByLabel("Message").press("Enter");
}

const seen = (page, text) => page.locator(".message .text").getByText(text, { exact: true }).waitFor();
const noted = (page, text) => page.locator(".note").getByText(text, { exact: true }).last().waitFor();
const texts = (page) => page.locator(".message .text").allTextContents();

async function online(page, ...names) {
  const expected = names.join();
  const shown = () => page.locator("#names bdi").evaluateAll((all) => all.map((each) => each.textContent).join());
  const deadline = Date.now() + PATIENCE;
  while ((await shown()) !== expected) {
    assert.ok(Date.now() < deadline, `${await shown()} are online, not ${expected}`);
    await page.waitForTimeout(20);
  }
}

async function leave(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
}

/** A peer without a page, which has joined; ask() resolves with the ack. */
async function teller(name) {
  const peer = await connect(server);
  let id = 0;
  const ask = async (type, payload) => {
    peer.send(envelope(type, payload, { ackId: ++id }));
    const answer = await peer.nextFrame("__pp_ack");
    assert.equal(answer.payload.error, undefined, JSON.stringify(answer));
  };
  await ask("join", { name, key: name });
  return { peer, ask };
}

const PHONE = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };

const assertFits = async (page) =>
  assert.equal(await page.evaluate(() => document.getElementById("room").scrollWidth > innerWidth), false);

describe("a chat", () => {
  test("two windows see what is said in either, and who is here", async () => {
    const ann = await join("Ann");
    const bob = await join("Bob");
    await noted(ann, "Bob joined");
    await online(ann, "Ann (you)", "Bob");
    await online(bob, "Ann", "Bob (you)");
    await say(ann, "hello Bob");
    await seen(bob, "hello Bob");
    await say(bob, "grüß dich, Ann 👋");
    await seen(ann, "grüß dich, Ann 👋");
    assert.deepEqual((await texts(ann)).slice(-2), ["hello Bob", "grüß dich, Ann 👋"]);
    assert.deepEqual((await texts(bob)).slice(-2), ["hello Bob", "grüß dich, Ann 👋"]);
    assert.deepEqual(await ann.locator(".message.mine .text").allTextContents(), ["hello Bob"]);
    await leave(bob);
    await noted(ann, "Bob left");
    await online(ann, "Ann (you)");
    await leave(ann);
  });

  test("HTML in a name or a message is text", async () => {
    const evil = '<img src=x onerror="document.title=`broken`"><b>bold</b>';
    const name = "<i>Eve</i>";
    const victim = await join("Vic");
    const eve = await join(name);
    await noted(victim, `${name} joined`);
    await say(eve, evil);
    for (const page of [victim, eve]) {
      await seen(page, evil);
      assert.equal(await page.locator(".message .text *").count(), 0);
      assert.equal(await page.locator("#room i, #room b, #room img").count(), 0);
      assert.equal(await page.title(), "Chat");
    }
    await leave(victim, eve);
  });

  test("a late comer sees the last fifty messages, in order", async () => {
    const tellers = []; // each may send ten messages a second
    for (let i = 0; i < 60; i++) {
      tellers[i % 8] ??= await teller(`Teller ${i}`);
      await tellers[i % 8].ask("say", { text: `line ${i + 1}` });
    }
    const late = await join("Late");
    await seen(late, "line 60");
    assert.deepEqual(await texts(late), Array.from({ length: 50 }, (_, i) => `line ${i + 11}`));
    await leave(late);
    for (const { peer } of tellers) await peer.close();
  });

  test("a name is its owner's while they are here", async () => {
    const first = await join("Zoe");
    const second = await openWindow();
    await enter(second, "ZOE");
    await second.locator("#welcome .problem").getByText("ZOE is here already: choose another name").waitFor();
    await enter(second, "Zed");
    await noted(first, "Zed joined");
    await leave(first, second);
  });

  test("a page that is loaded again goes on under its name", async () => {
    const ann = await join("Ann");
    await say(ann, "before the reload");
    await seen(ann, "before the reload");
    await ann.reload();
    await seen(ann, "before the reload");
    await online(ann, "Ann (you)");
    await leave(ann);
  });

  test("a tab of the same page takes the name over, and the first does not fight for it", async () => {
    const first = await join("Ann");
    const key = await first.evaluate(() => sessionStorage.getItem("key"));
    const second = await openWindow();
    await second.evaluate((value) => sessionStorage.setItem("key", value), key);
    await enter(second, "Ann");
    await second.locator("#room").waitFor();
    await first.getByText("This chat goes on in another tab.").waitFor();
    await online(second, "Ann (you)");
    await leave(first, second);
  });

  test("nobody notices that the code was loaded again", async () => {
    const ann = await join("Ann");
    const bob = await join("Bob");
    await say(ann, "before the new code");
    await seen(bob, "before the new code");
    server.signal("SIGHUP");
    await server.waitFor(/reloaded/);
    await say(bob, "after the new code");
    await seen(ann, "after the new code");
    const late = await join("Late");
    await seen(late, "before the new code");
    await online(ann, "Ann (you)", "Bob", "Late");
    assert.equal(await bob.locator(".note").getByText("Ann left").count(), 0);
    await leave(ann, bob, late);
  });

  test("after a restart of the server the pages come back by themselves", async () => {
    let own = await startServer(APP);
    try {
      const ann = await join("Ann", own);
      const bob = await join("Bob", own, PHONE);
      await say(ann, "before the restart");
      await seen(bob, "before the restart");
      const { port } = own;
      await own.stop();
      for (const page of [ann, bob]) await page.getByText("No connection. Trying again…").waitFor();
      await assertFits(bob);
      own = await startServer(APP, { args: ["--port", String(port)] });
      for (const page of [ann, bob]) await page.locator('#room[data-state="open"]').waitFor();
      await online(ann, "Ann (you)", "Bob");
      await say(bob, "after the restart");
      await seen(ann, "after the restart");
      assert.deepEqual(await texts(ann), ["before the restart", "after the restart"]);
      await leave(ann, bob);
    } finally {
      await own.stop();
    }
  });

  test("whoever reads what was said before is not torn away from it", async () => {
    const reader = await join("Reader");
    const writer = await join("Writer");
    for (let i = 1; i <= 8; i++) await say(writer, `several\nlines\nof text\n${i}`);
    await seen(reader, "several\nlines\nof text\n8");
    const position = () => reader.locator("#log").evaluate((log) => log.scrollTop);
    await reader.locator("#log").hover();
    await reader.mouse.wheel(0, -400);
    await reader.waitForFunction(() => {
      const log = document.getElementById("log");
      return log.scrollHeight - log.scrollTop - log.clientHeight > 60;
    });
    const before = await position();
    await say(writer, "one more");
    await reader.getByText("New messages").click();
    await seen(reader, "one more");
    assert.ok((await position()) > before);
    await leave(reader, writer);
  });

  test("it fits a phone", async () => {
    const page = await join("Phone", server, PHONE);
    await say(page, "a".repeat(300)); // one word that is far wider than the screen
    await seen(page, "a".repeat(300));
    await page.locator("#online summary").tap();
    await page.locator("#names").waitFor();
    await assertFits(page);
    const field = await page.locator("#text").boundingBox();
    assert.ok(field.y + field.height <= PHONE.viewport.height, JSON.stringify(field));
    await leave(page);
  });
});

/** Two windows over each other, as the README shows them. */
async function takePicture(path) {
  const sharp = { deviceScaleFactor: 2 };
  const own = await startServer(APP);
  const mia = await join("Mia", own, { ...sharp, colorScheme: "light", viewport: { width: 720, height: 540 } });
  const noah = await join("Noah", own, { ...sharp, colorScheme: "dark", viewport: { width: 300, height: 540 } });
  const talk = [
    [mia, "Morning! Did the new level load for you?"],
    [noah, "Yes, all four of us are in."],
    [noah, "The bridge is still missing."],
    [mia, "Wait a moment… now?"],
    [noah, "There it is!"],
  ];
  for (const [page, text] of talk) {
    await say(page, text);
    await Promise.all([seen(mia, text), seen(noah, text)]);
  }
  await mia.locator("#online summary").click();
  const images = await Promise.all([mia, noah].map(async (page) => (await page.screenshot()).toString("base64")));
  const board = await browser.newPage({ viewport: { width: 1120, height: 620 } });
  await board.setContent(`<style>
    body { margin: 0; height: 100vh; display: flex; gap: 28px; align-items: center; justify-content: center;
           background: linear-gradient(135deg, #8e8ce8, #4f9dc9); }
    img { height: 540px; border-radius: 14px; box-shadow: 0 18px 50px rgb(0 0 0 / .35); }
  </style>${images.map((data) => `<img src="data:image/png;base64,${data}">`).join("")}`);
  writeFileSync(path, await board.screenshot());
  await leave(mia, noah);
  await own.stop();
}

if (process.env.PP_SCREENSHOT) test("a picture of two windows", () => takePicture(process.env.PP_SCREENSHOT));
