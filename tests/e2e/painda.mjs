// What the end-to-end tests in Node.js share: a server process, frames by hand, npm's `ws` as the peer, Chromium.
//
//   const server = await startServer("examples/hello/app.lua");      // a free port, read from the server's log
//   const peer = await connect(server);
//   peer.send(frame("ping", { n: 1 }));
//   assert.deepEqual((await peer.nextFrame("pong")).payload, { n: 1 });
//   peer.close(); await server.stop();
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";
import WebSocket from "ws";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const BINARY = process.env.PAINDA_BIN ?? path.join(ROOT, "build/painda");
const PATIENCE = 20_000; // milliseconds until a test gives up on something that should have happened at once

// --- Painda frames

const MAGIC = 0x50504e44;
const VERSION = 2;
const HEADER_SIZE = 16;
const COMPRESSED = 0x04;
const MODES = { chat: 0, media: 1, gaming: 2, voice: 3 };

/** The JSON envelope as text: what a text message holds. */
export function envelope(type, payload = null, { ns, ackId } = {}) {
  return JSON.stringify({ type, payload, __ns: ns, __ackId: ackId }); // what is undefined is left out
}

/** One whole JSON frame. */
export function frame(type, payload = null, { ns, ackId, mode = "chat", compress = false } = {}) {
  return rawFrame(Buffer.from(envelope(type, payload, { ns, ackId })), { flags: MODES[mode], compress });
}

/** A header and `body`, which may be anything. */
export function rawFrame(body, { flags = 0, compress = false, typeId = 0, schemaVersion = 0 } = {}) {
  const bytes = compress ? zlib.deflateSync(body) : body;
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUInt32BE(MAGIC, 0);
  header.writeUInt16BE(VERSION, 4);
  header.writeUInt16BE(compress ? flags | COMPRESSED : flags, 6);
  header.writeUInt32BE(bytes.length, 8);
  header.writeUInt16BE(typeId, 12);
  header.writeUInt16BE(schemaVersion, 14);
  return Buffer.concat([header, bytes]);
}

/** The frames of one WebSocket message: {flags, typeId, schemaVersion, body} and, for JSON, the envelope's fields. */
export function parseFrames(data) {
  const frames = [];
  for (let at = 0; at < data.length; ) {
    if (data.length - at < HEADER_SIZE) throw new Error(`${data.length - at} bytes are too few for a header`);
    const known = data.readUInt32BE(at) === MAGIC && data.readUInt16BE(at + 4) === VERSION;
    if (!known) throw new Error("wrong magic or version");
    const flags = data.readUInt16BE(at + 6);
    const end = at + HEADER_SIZE + data.readUInt32BE(at + 8);
    if (end > data.length) throw new Error("the header promises more bytes than there are");
    const sent = data.subarray(at + HEADER_SIZE, end);
    const body = flags & COMPRESSED ? zlib.inflateSync(sent) : sent;
    const typeId = data.readUInt16BE(at + 12);
    const schemaVersion = data.readUInt16BE(at + 14);
    frames.push({ flags, typeId, schemaVersion, body, ...(typeId === 0 ? JSON.parse(body) : {}) });
    at = end;
  }
  return frames;
}

/** The only frame of one WebSocket message. */
export function parseFrame(data) {
  const frames = parseFrames(data);
  if (frames.length !== 1) throw new Error(`${frames.length} frames where one was expected`);
  return frames[0];
}

// --- Processes and peers

const running = new Set(); // nothing outlives the tests, however they end
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

/** Rejects with a reason where `promise` takes too long. */
export function soon(promise, what, patience = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()}: not within ${patience} ms`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** `painda run APP` on a free port. `app` is a path, or Lua source (anything with a newline) for a file of its own. */
export async function startServer(app, { args = [], env = {} } = {}) {
  const scratch = mkdtempSync(path.join(tmpdir(), "painda-test-"));
  let file = app;
  if (app.includes("\n")) writeFileSync((file = path.join(scratch, "app.lua")), app);
  const child = spawn(BINARY, ["run", file, "--port", "0", ...args], {
    cwd: ROOT, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  child.once("close", () => running.delete(child));
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => ((log += text), child.emit("log")));
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(signal ?? code)));

  const server = {
    pid: child.pid,
    log: () => log,
    /** Waits until the log matches; returns the match. */
    async waitFor(pattern) {
      const seen = new Promise((resolve, reject) => {
        const look = () => pattern.test(log) && (child.off("log", look), resolve(log.match(pattern)));
        child.on("log", look);
        ended.then((how) => reject(new Error(`the server ended (${how}) before ${pattern}\n${log}`)));
        look();
      });
      return soon(seen, () => `${pattern} in the log\n${log}`);
    },
    url: (where = "/", scheme = "ws") => `${scheme}://127.0.0.1:${server.port}${where}`,
    signal: (name) => child.kill(name),
    /** Asks the server to end; it has to with exit status 0. */
    async stop() {
      try {
        child.kill("SIGTERM");
        const how = await soon(ended, () => `the server's end\n${log}`);
        if (how !== 0) throw new Error(`the server ended with ${how}\n${log}`);
      } finally {
        child.kill("SIGKILL");
        rmSync(scratch, { recursive: true, force: true });
      }
    },
  };
  try {
    server.port = Number((await server.waitFor(/\blistening\b.*?\bport=(\d+)/)).at(1));
  } catch (error) {
    child.kill("SIGKILL");
    rmSync(scratch, { recursive: true, force: true });
    throw error;
  }
  return server;
}

/** A connected peer (npm's `ws`) whose messages wait in a queue until they are asked for. */
export async function connect(server, where = "/", options = {}) {
  const socket = new WebSocket(server.url(where), { perMessageDeflate: false, ...options });
  const queue = [];
  let wake = () => {};
  const closed = new Promise((resolve) => {
    socket.once("close", (code, reason) => resolve({ code, reason: String(reason) }));
  });
  socket.on("message", (data, binary) => {
    queue.push(binary ? data : String(data));
    wake();
  });
  socket.on("error", () => {}); // told by `closed`
  await soon(once(socket, "open"), () => "the connection");

  const peer = {
    socket,
    closed,
    send: (data) => socket.send(data),
    /** The next message: a string, or a Buffer. */
    async next() {
      if (queue.length === 0) {
        const arrived = new Promise((resolve, reject) => {
          wake = resolve;
          closed.then(({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`)));
        });
        await soon(arrived, () => "a message");
      }
      return queue.shift();
    },
    /** The next frame (text messages too); with `type`, the next of that type. */
    async nextFrame(type) {
      for (;;) {
        const data = await peer.next();
        const found = typeof data === "string" ? JSON.parse(data) : parseFrame(data);
        if (type === undefined || found.type === type) return found;
      }
    },
    async close(code = 1000, reason = "") {
      socket.close(code, reason);
      return soon(closed, () => "the close");
    },
  };
  return peer;
}

/** Debian's Chromium, headless. The caller closes it. */
export async function launchChromium() {
  const executablePath = "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`${executablePath} is missing; scripts/setup --test installs it`);
  const { chromium } = await import("playwright-core");
  // Tests may run as root, where Chromium's own sandbox can't; a container's /dev/shm is often small.
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
  // A test browser stays at home: it asks nobody for updates, and the page is all it connects to.
  const quiet = ["no-first-run", "disable-background-networking", "disable-component-update", "disable-sync", "disable-quic"];
  return chromium.launch({ executablePath, args: [...args, ...quiet.map((flag) => `--${flag}`)] }); // its profile is new
}
