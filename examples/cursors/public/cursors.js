// The page: tells the server where this pointer is, and shows where the others are. What the server sends is the list of
// who is here (__pp_presence), then what changes in it (__pp_presence_diff).

const PAUSE = 33; // milliseconds between two moves that are sent
const byId = (id) => document.getElementById(id);

const people = new Map(); // client's id → { data, cursor, item }
let line; // the WebSocket
let self; // this client's id, once the server has said it
let name = "";
let delay = 500; // until the next attempt to connect
let point; // where the pointer is and was not sent yet
let timer;

// --- sending

const send = (type, payload, ackId) => line.send(JSON.stringify({ type, payload, __ackId: ackId }));

function sendPoint() {
  timer = undefined;
  if (!point || self === undefined || line.readyState !== WebSocket.OPEN) return;
  send("move", point);
  point = undefined;
  timer = setTimeout(sendPoint, PAUSE);
}

addEventListener("pointermove", (event) => {
  point = { x: event.clientX / innerWidth, y: event.clientY / innerHeight };
  if (timer === undefined) sendPoint();
});

// --- showing

function show(id, data) {
  let person = people.get(id);
  if (!person) {
    person = { cursor: document.createElement("div"), item: document.createElement("li") };
    person.cursor.className = "cursor";
    person.cursor.append(document.createElement("span"));
    people.set(id, person);
    byId("people").append(person.item);
    if (id !== self) byId("cursors").append(person.cursor);
  }
  person.data = data;
  person.item.textContent = data.name;
  person.item.classList.toggle("self", id === self);
  person.cursor.firstChild.textContent = data.name;
  person.cursor.style.setProperty("--hue", data.hue);
  place(person);
}

function place({ data, cursor }) {
  cursor.hidden = data.x === undefined;
  cursor.style.translate = `${data.x * innerWidth}px ${data.y * innerHeight}px`;
}

function drop(id) {
  const person = people.get(id);
  person?.cursor.remove();
  person?.item.remove();
  people.delete(id);
}

addEventListener("resize", () => people.forEach(place));

// --- hearing

const heard = {
  __pp_presence({ presences }) {
    for (const id of [...people.keys()]) drop(id);
    for (const { clientId, data } of presences) show(clientId, data);
  },
  __pp_presence_diff({ changes }) {
    for (const { type, clientId, data } of changes) {
      if (type === "leave") drop(clientId);
      else show(clientId, data);
    }
  },
  __pp_ack({ args, error }) {
    if (error) return complain(error.message);
    self = args[0].id;
    byId("welcome").hidden = true;
    byId("field").hidden = false;
    byId("state").textContent = "Here now:";
  },
};

function complain(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = false;
}

// --- the line, which comes back

function connect() {
  line = new WebSocket(location.href.replace(/^http/, "ws"));
  line.onopen = () => {
    delay = 500;
    send("hello", { name }, 1);
  };
  line.onmessage = ({ data }) => {
    const { type, payload } = JSON.parse(data);
    heard[type]?.(payload);
  };
  line.onclose = () => {
    self = undefined;
    for (const id of [...people.keys()]) drop(id);
    byId("state").textContent = "The line is gone. Trying again …";
    setTimeout(connect, delay);
    delay = Math.min(delay * 2, 8000);
  };
}

byId("welcome").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("problem").hidden = true;
  name = byId("name").value;
  if (line?.readyState === WebSocket.OPEN) send("hello", { name }, 1);
  else if (!line) connect();
});
