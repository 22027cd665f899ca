// A line to a Painda server that recovers sessions, in plain JavaScript: what docs/protocol.md asks of a client, and no more.
//
//   const line = new Line("ws://localhost:3000", { message(type, payload) {}, recovery(found) {}, state(name) {} });
//   line.send("say", { text: "hello" });        line.cut();  // as if the cable were pulled

const decoder = new TextDecoder();
const FIRST_DELAY = 250, LONGEST_DELAY = 8000; // ms before the line is tried again

export class Line {
  #url; #told; #socket; #session = null; #offset = 0; #delay = FIRST_DELAY; #retry;

  constructor(url, told) {
    this.#url = url;
    this.#told = told;
    this.#connect();
  }

  /** false where there is no line: nothing is kept for later here. */
  send(type, payload) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ type, payload }));
    return true;
  }

  /** The line is gone, for `ms` at least. The server is not told: it has to find out, as with a cable. */
  cut(ms = 0) {
    const socket = this.#socket;
    this.#socket = null;
    socket.onmessage = socket.onclose = null;
    socket.close(4000); // a page can't do worse; only 1000, or no code, would be a goodbye
    this.#lost(ms);
  }

  #connect() {
    const url = new URL(this.#url);
    if (this.#session) {
      url.searchParams.set("pp_sid", this.#session.sid);
      url.searchParams.set("pp_rtoken", this.#session.rtoken);
      url.searchParams.set("pp_offset", this.#offset);
    }
    const socket = (this.#socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.#lost(0);
    this.#told.state("connecting");
  }

  #lost(ms) {
    this.#told.state("away");
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), Math.max(ms, this.#delay * (0.8 + Math.random() * 0.4)));
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY);
  }

  /** Until a page has said something it gets frames: 16 bytes of header, then the envelope. Later it gets text. */
  #receive(data) {
    const { type, payload } = JSON.parse(typeof data === "string" ? data : decoder.decode(data.slice(16)));
    if (type === "__pp_session") this.#begin(payload);
    else if (type === "__pp_recovery") this.#told.recovery(payload);
    else if (!type.startsWith("__pp_")) {
      this.#offset++;
      this.#told.message(type, payload);
    }
  }

  #begin({ sid, rtoken, offset }) {
    this.#session = { sid, rtoken };
    this.#offset = offset;
    this.#delay = FIRST_DELAY;
    this.#told.state("open");
  }
}
