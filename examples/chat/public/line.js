// A line to a Painda server in text mode: every message is the bare JSON envelope {type, payload}. It comes back by itself.
//
//   const line = new Line(url);
//   line.on("message", (payload) => …);          a message type of the server
//   line.onState = (state) => …;                 "connecting", "open", "waiting", "closed"
//   await line.request("say", { text });         resolves with the ack, rejects with an Error that has a code
//   line.open();

const ACK_TIMEOUT = 10_000;
const FIRST_DELAY = 500;
const LAST_DELAY = 8_000;
const TAKEN_OVER = 4009; // another line of ours is open: coming back would only fight it

export class Line {
  #socket = null;
  #url;
  #handlers = new Map();
  #asked = new Map(); // ack id → {resolve, reject, timer}
  #lastId = 0;
  #attempts = 0;
  #timer = 0;

  onState = () => {};

  constructor(url) {
    this.#url = url;
    addEventListener("online", () => this.#timer && this.open()); // the network is back: don't wait any longer
  }

  on(type, handler) {
    this.#handlers.set(type, handler);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.onState("connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#attempts = 0;
      this.onState("open");
    };
    socket.onmessage = ({ data }) => {
      // Frames are binary until the server has heard text from us. What is in them was meant for those who were here before.
      if (typeof data === "string") this.#receive(JSON.parse(data));
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#lost(code);
    };
  }

  close() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.#failAll();
    this.onState("closed");
  }

  request(type, payload) {
    if (!this.isOpen) return Promise.reject(problem("not connected", "CONNECTION_ERROR"));
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ type, payload, __ackId: id }));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, problem("no answer from the server", "TIMEOUT_ERROR")), ACK_TIMEOUT);
      this.#asked.set(id, { resolve, reject, timer });
    });
  }

  #receive({ type, payload }) {
    if (type === "__pp_ack") this.#settle(payload.ackId, payload.error, payload.args[0]);
    else this.#handlers.get(type)?.(payload);
  }

  #settle(id, error, response) {
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#asked.delete(id);
    clearTimeout(asked.timer);
    if (error) asked.reject(problem(error.message, error.code));
    else asked.resolve(response);
  }

  #failAll() {
    for (const id of [...this.#asked.keys()]) this.#settle(id, problem("the connection was lost", "CONNECTION_ERROR"));
  }

  #lost(code) {
    this.#socket = null;
    this.#failAll();
    if (code === TAKEN_OVER) return this.onState("closed");
    this.onState("waiting");
    const delay = Math.min(FIRST_DELAY * 2 ** this.#attempts++, LAST_DELAY);
    this.#timer = setTimeout(() => this.open(), delay * (0.8 + 0.4 * Math.random()));
  }
}

function problem(message, code) {
  return Object.assign(new Error(message), { code });
}
