// The pages of the projects that `painda new` makes, as two people use them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { BINARY, launchChromium, startServer } from "./painda.mjs";

let folder, browser;

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "painda-new-"));
  browser = await launchChromium();
});
after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** Makes the project, runs it, and opens its page `count` times. */
async function play(template, count, fn) {
  const made = spawnSync(BINARY, ["new", template, "--template", template], { cwd: folder, encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  const server = await startServer(path.join(folder, template, "app.lua"));
  const complaints = [];
  try {
    const pages = [];
    for (let i = 0; i < count; i++) {
      const page = await browser.newPage();
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("dialog", (dialog) => (complaints.push(dialog.message()), dialog.dismiss()));
      pages.push(page);
    }
    await fn(server, pages);
    await Promise.all(pages.map((page) => page.close()));
  } finally {
    await server.stop();
  }
  assert.deepEqual(complaints, []);
}

test("two people chat, and who comes later sees what was said", () =>
  play("chat", 2, async (server, [ann, bob]) => {
    const send = async (page, text) => {
      await page.fill("#text", text);
      await page.press("#text", "Enter");
    };
    const line = (page, text) => page.locator("#log li", { hasText: text }).first().waitFor();
    await ann.goto(server.url("/", "http"));
    await send(ann, "Ann");
    await ann.waitForSelector('#text[placeholder="Write a message"]');
    await send(ann, "hello <b>there</b>");
    await line(ann, "Ann: hello <b>there</b>");
    await bob.goto(server.url("/", "http"));
    await send(bob, "Bob");
    await line(bob, "Ann: hello <b>there</b>");
    await line(ann, "Bob joined");
    await bob.close();
    await line(ann, "Bob left");
  }));

test("a runner runs where it is sent, on both screens", () =>
  play("arena", 2, async (server, [ann, bob]) => {
    const told = (page) =>
      page.waitForEvent("websocket").then((socket) =>
        socket.waitForEvent("framereceived", ({ payload }) => {
          const { type, payload: { delta } = {} } = typeof payload === "string" ? JSON.parse(payload) : {};
          return type === "__pp_room_delta" && Object.values(delta.players).some((player) => player.y < 400);
        }),
      );
    const seen = [told(ann), told(bob)];
    for (const page of [ann, bob]) await page.goto(server.url("/", "http"));
    const field = bob.locator("#field");
    const box = await field.boundingBox();
    await bob.waitForFunction(() => { // somebody is drawn
      const { data } = document.getElementById("field").getContext("2d").getImageData(0, 0, 1000, 1000);
      return data.some((byte) => byte > 0);
    });
    await field.click({ position: { x: box.width / 2, y: 5 } });
    await Promise.all(seen);
  }));
