// npm's `ws` as an independent peer: what the server sends must satisfy another implementation of RFC 6455, and the other
// way round. Its receiver checks masks, reserved bits, opcodes, lengths, UTF-8 and close codes of every frame.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { connect, envelope, frame, parseFrames, rawFrame, soon, startServer } from "./painda.mjs";

const LAB = "tests/e2e/apps/lab.lua";

let server;
before(async () => {
  server = await startServer(LAB, { env: { LAB: "maxConnectionsPerIp = 0", LAB_QUIET: "yes" } });
});
after(() => server?.stop());

/** Runs `talk(peer)` over a connection of its own. */
async function withPeer(talk, where = "/", options = {}) {
  const peer = await connect(server, where, options);
  try {
    await talk(peer);
  } finally {
    peer.socket.terminate();
  }
}

let lastAsk = 0;
async function ask(peer, type, payload = null) {
  const ackId = ++lastAsk;
  peer.send(frame(type, payload, { ackId }));
  for (;;) {
    const { payload: answer } = await peer.nextFrame("__pp_ack");
    if (answer.ackId === ackId) {
      assert.equal(answer.error, undefined);
      return answer.args[0];
    }
  }
}

describe("a peer made of npm's ws", () => {
  it("echoes binary frames", () =>
    withPeer(async (peer) => {
      for (const payload of [null, 0, "grüß \u{1f600}", [], {}, { a: [1, { b: null }] }]) {
        peer.send(frame("echo", payload));
        assert.deepEqual((await peer.nextFrame("echo")).payload, payload);
      }
    }));

  it("echoes text, and is answered in text", () =>
    withPeer(async (peer) => {
      peer.send(envelope("echo", { text: "ü" }));
      assert.equal(await peer.next(), '{"type":"echo","payload":{"text":"ü"}}');
    }));

  it("passes every length around the borders of the header's forms", () =>
    withPeer(async (peer) => {
      const wrapping = envelope("echo", "").length;
      for (const size of [0, 1, 125, 126, 127, 65535, 65536, 65537, 500_000].map((n) => Math.max(0, n - wrapping - 16))) {
        for (const length of [size, size + 16]) {
          const payload = "x".repeat(length);
          peer.send(envelope("echo", payload));
          assert.equal(JSON.parse(await peer.next()).payload.length, length);
          peer.send(frame("echo", payload));
          assert.equal((await peer.nextFrame("echo")).payload.length, length);
        }
      }
    }));

  it("inflates what the server deflates, with another zlib", () =>
    withPeer(async (peer) => {
      const payload = { words: Array.from({ length: 5000 }, (_, i) => `word ${i % 97}`) };
      peer.send(frame("echo", payload, { compress: true }));
      const answer = await peer.nextFrame("echo");
      assert.deepEqual(answer.payload, payload);
      assert.equal(answer.flags & 4, 4);
    }));

  it("exchanges schema frames", () =>
    withPeer(async (peer) => {
      const body = Buffer.alloc(8);
      body.writeFloatBE(1.5, 0);
      body.writeFloatBE(-2.25, 4);
      peer.send(rawFrame(body, { flags: 8, typeId: 7 }));
      const answer = await peer.next();
      assert.equal(answer.readUInt16BE(12), 7);
      assert.deepEqual(answer.subarray(16), body);
    }));

  it("gets batches that it asked for", () =>
    withPeer(async (peer) => {
      peer.send(frame("flood", 500));
      const got = [];
      let messages = 0;
      while (got.length < 500) {
        got.push(...parseFrames(await peer.next()).map((part) => part.payload));
        messages++;
      }
      assert.deepEqual(got, Array.from({ length: 500 }, (_, i) => i + 1));
      assert.ok(messages < 500);
    }, "/?pp_caps=batch"));

  it("sends fragments", () =>
    withPeer(async (peer) => {
      const whole = frame("echo", "in pieces ".repeat(100));
      for (let at = 0; at < whole.length; at += 50) {
        peer.socket.send(whole.subarray(at, at + 50), { binary: true, fin: at + 50 >= whole.length });
      }
      assert.equal((await peer.nextFrame("echo")).payload, "in pieces ".repeat(100));
    }));

  it("is not talked into permessage-deflate", () =>
    withPeer(
      async (peer) => {
        assert.equal(peer.socket.extensions, "");
        assert.equal(await ask(peer, "echo", "x".repeat(5000)), "x".repeat(5000));
      },
      "/",
      { perMessageDeflate: true },
    ));

  it("gets a pong for each ping, with its bytes", () =>
    withPeer(async (peer) => {
      const pongs = [];
      const all = new Promise((resolve) => {
        peer.socket.on("pong", (data) => pongs.push(String(data)) === 100 && resolve());
      });
      for (let i = 0; i < 100; i++) peer.socket.ping(`ping ${i}`);
      await soon(all, () => `100 pongs, not ${pongs.length}`);
      assert.deepEqual(pongs, Array.from({ length: 100 }, (_, i) => `ping ${i}`));
    }));

  it("asks and is asked", () =>
    withPeer(async (peer) => {
      assert.equal(await ask(peer, "echo", "asked"), "asked");
      peer.send(frame("request", { q: 1 }, { ackId: 900 }));
      const question = await peer.nextFrame("question");
      assert.deepEqual(question.payload, { q: 1 });
      peer.send(frame("__pp_ack", { ackId: question.__ackId, args: ["answer"] }));
      const { payload } = await peer.nextFrame("__pp_ack");
      assert.deepEqual(payload, { ackId: 900, args: [{ response: "answer", err: null }] });
    }));

  it("hears 10,000 messages in order", () =>
    withPeer(async (peer) => {
      for (let i = 0; i < 10_000; i++) peer.send(frame("echo", i));
      for (let i = 0; i < 10_000; i++) assert.equal((await peer.nextFrame("echo")).payload, i);
    }));

  it("says goodbye with its code, and hears the server's", async () => {
    await withPeer(async (peer) => assert.deepEqual(await peer.close(4123, "bye"), { code: 4123, reason: "" }));
    await withPeer(async (peer) => {
      peer.send(frame("close-me", { code: 4321, reason: "grüß" }));
      assert.deepEqual(await soon(peer.closed, () => "the close"), { code: 4321, reason: "grüß" });
    });
    await withPeer(async (peer) => {
      const bad = rawFrame(Buffer.from("{}"));
      bad.writeUInt16BE(1, 4);
      peer.send(bad);
      assert.deepEqual(await soon(peer.closed, () => "the close"), { code: 4010, reason: "Invalid Protocol Version" });
    });
  });

  it("is told of too many bytes", () =>
    withPeer(async (peer) => {
      peer.socket.send(Buffer.alloc(2_000_000));
      assert.equal((await soon(peer.closed, () => "the close")).code, 1009);
    }));

  it("is one of a hundred that hear a broadcast", async () => {
    const peers = await Promise.all(Array.from({ length: 100 }, () => connect(server)));
    try {
      peers[0].send(frame("shout-all", "hello"));
      const heard = await Promise.all(peers.map((peer) => peer.nextFrame("shout")));
      assert.ok(heard.every(({ payload }) => payload === "hello"));
    } finally {
      for (const peer of peers) peer.socket.terminate();
    }
  });

  it("is refused with the status of HTTP", async () => {
    const strict = await startServer(LAB, { env: { LAB: 'allowedOrigins = { "https://example.com" }' } });
    try {
      await connect(strict, "/", { origin: "https://example.com" }).then((peer) => peer.socket.terminate());
      const socket = new WebSocket(strict.url(), { origin: "https://evil.example" });
      const refused = new Promise((resolve) => {
        socket.once("unexpected-response", (_request, response) => resolve(response.statusCode));
      });
      socket.once("error", () => {});
      assert.equal(await soon(refused, () => "the refusal"), 403);
      socket.terminate();
    } finally {
      await strict.stop();
    }
  });

  it("is told of the server's end", async () => {
    const ending = await startServer(LAB);
    const peer = await connect(ending);
    assert.equal(await ask(peer, "echo", 1), 1);
    const stopped = ending.stop();
    assert.equal((await peer.nextFrame("__pp_shutdown")).payload.timeoutMs, 5000);
    assert.deepEqual(await soon(peer.closed, () => "the close"), { code: 1001, reason: "server shutting down" });
    await stopped;
  });
});
