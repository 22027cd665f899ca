// The quick start of the README as its reader tries it: typed into a file, run, greeted from a browser's console, changed.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { launchChromium, ROOT, soon, startServer } from "./painda.mjs";

const README = readFileSync(path.join(ROOT, "README.md"), "utf8");
const block = (language) => README.match(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "ms")).at(1);

test("the quick start works as it is written", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "painda-readme-"));
  const app = path.join(folder, "app.lua");
  writeFileSync(app, block("lua"));
  const server = await startServer(app, { args: ["--watch"] });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const said = (text) =>
      soon(page.waitForEvent("console", (message) => message.text() === text), () => text);
    const first = said('{"type":"hello","payload":"World"}');
    await page.addScriptTag({ content: block("js").replace("localhost:3000", `localhost:${server.port}`) });
    await first;
    writeFileSync(app, block("lua").replace('"World"', '"new World"'));
    await server.waitFor(/reloaded/);
    const second = said('{"type":"hello","payload":"new World"}');
    await page.evaluate("line.onopen()");
    await second;
  } finally {
    await browser.close();
    await server.stop();
    rmSync(folder, { recursive: true });
  }
  assert.match(server.log(), /^received\tgreet\tHello$/m);
});
