// The page: the first line that is sent is the name. Every message is JSON: {type, payload}; an __ackId asks for an answer.

const log = document.getElementById("log");
const text = document.getElementById("text");
let socket, name = "", asked = 0;

function show(words, note) {
  const item = document.createElement("li");
  item.textContent = words;
  item.className = note ? "note" : "";
  log.append(item);
}

const on = {
  said: (message) => show(`${message.name}: ${message.text}`),
  joined: (who) => show(`${who.name} joined`, true),
  left: (who) => show(`${who.name} left`, true),
  __pp_ack({ error, args: [answer] }) {
    if (error) return show(error.message, true);
    if (!answer?.history) return;
    text.placeholder = "Write a message";
    log.replaceChildren();
    answer.history.forEach(on.said);
  },
};

function send(type, payload) {
  socket.send(JSON.stringify({ type, payload, __ackId: ++asked }));
}

function connect() {
  socket = new WebSocket(location.origin.replace(/^http/, "ws"));
  socket.onopen = () => name && send("join", { name });
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return; // frames, until the server has heard text from us
    const { type, payload } = JSON.parse(data);
    on[type]?.(payload);
  };
  socket.onclose = () => setTimeout(connect, 1000);
}

document.getElementById("form").onsubmit = (event) => {
  event.preventDefault();
  const words = text.value.trim();
  if (!words || socket.readyState !== WebSocket.OPEN) return;
  text.value = "";
  if (name) return send("say", { text: words });
  name = words;
  send("join", { name });
};

connect();
