// examples/bots in a real browser: a match against a bot, and one of two people.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchChromium, startServer } from "./painda.mjs";

const PATIENCE = 20_000;

let browser, server;

before(async () => {
  browser = await launchChromium();
  server = await startServer("examples/bots/app.lua");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function play(name) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  await page.goto(server.url("/", "http"));
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Play" }).click();
  return page;
}

const throwHand = (page, name) => page.getByRole("button", { name, exact: true }).click();
const result = (page, number) => page.locator("#results li").nth(number - 1).textContent();

async function leave(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
}

describe("rock, paper, scissors", () => {
  test("is played by two people", async () => {
    const ann = await play("Ann");
    await ann.getByText("Looking for somebody").waitFor();
    const bob = await play("Bob");
    await ann.getByText("Round 1 against Bob").waitFor();
    await bob.getByText("Round 1 against Ann").waitFor();
    await throwHand(ann, "Rock");
    await ann.getByText("You threw rock. Bob is thinking").waitFor();
    assert.ok(await ann.getByRole("button", { name: "Paper", exact: true }).isDisabled());
    await throwHand(bob, "Scissors");
    assert.equal(await result(ann, 1), "You win the round: rock against scissors");
    assert.equal(await result(bob, 1), "You lose the round: scissors against rock");
    await ann.getByText("Round 2 against Bob").waitFor();
    assert.equal(await ann.getByLabel("Score").textContent(), "Ann 1 : 0 Bob");
    await leave(ann);
    await bob.getByText("nobody is on the other side").waitFor();
    await bob.getByRole("button", { name: "Play again" }).waitFor();
    await leave(bob);
  });

  test("is played by a bot where nobody else is there", async () => {
    const eve = await play("<b id=evil>Eve</b>");
    await eve.getByText(/Round 1 against (Stubborn Stan|Copycat Cleo|Counting Carl|Lady Luck)/).waitFor();
    await throwHand(eve, "Paper");
    assert.match(await result(eve, 1), /: paper against (rock|paper|scissors)$/);
    await eve.getByText("Round 2 against").waitFor();
    assert.match(await eve.getByLabel("Score").textContent(), /^<b id=evil>Eve<\/b> [01] : [01] /);
    assert.equal(await eve.locator("#evil").count(), 0);
    await leave(eve);
  });
});
