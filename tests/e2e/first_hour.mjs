// Runs pieces of JavaScript one after the other, as a browser's console would: each line of the input is one, as JSON.
import { createInterface } from "node:readline";
import { runInThisContext } from "node:vm";
import WebSocket from "ws";

globalThis.WebSocket = class extends WebSocket {
  set onmessage(handler) { // text as a browser gives it; frames stay what they are
    super.onmessage = ({ data }) => handler({ data });
  }
};
createInterface({ input: process.stdin })
  .on("line", (line) => runInThisContext(JSON.parse(line)))
  .on("close", () => process.exit(0));
