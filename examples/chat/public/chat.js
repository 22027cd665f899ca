// The page: what was said, who is here, and a field to write in. Whatever comes from others is set as text, never as HTML.
import { Line } from "./line.js";

const $ = (id) => document.getElementById(id);
const MOST_LINES = 500; // on the page

const line = new Line(location.href.replace(/^http/, "ws").replace(/[?#].*$/, ""));
const online = new Set();
const seen = new Set(); // ids of messages
let me = null; // our name, once joined
let lastSpeaker = null; // of the message at the end of the log, while nothing stands behind it

// --- small things

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function hueOf(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 360;
  return hash;
}

function avatar(name) {
  const made = element("span", "avatar", [...name][0].toUpperCase());
  made.style.setProperty("--hue", hueOf(name));
  made.setAttribute("aria-hidden", "true");
  return made;
}

function complain(form, error) {
  const place = form.querySelector(".problem");
  place.textContent = error?.message ?? "";
  place.hidden = !error;
}

// The same for as long as the tab is open: by it the server knows us again on a new line.
function key() {
  const known = sessionStorage.getItem("key");
  const made = known ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join("");
  sessionStorage.setItem("key", made);
  return made;
}

// --- the log: it follows what is new for as long as its reader is at the end

let following = true;

function scrollToEnd() {
  $("log").scrollTop = $("log").scrollHeight;
  $("newer").hidden = true;
}

$("log").addEventListener("scroll", ({ target }) => {
  following = target.scrollHeight - target.scrollTop - target.clientHeight < 60;
  if (following) $("newer").hidden = true;
}, { passive: true });
new ResizeObserver(() => following && scrollToEnd()).observe($("log"));
$("newer").addEventListener("click", scrollToEnd);

function append(entry, mine) {
  const log = $("log");
  log.append(entry);
  while (log.children.length > MOST_LINES) log.firstElementChild.remove();
  if (mine || following) scrollToEnd();
  else $("newer").hidden = false;
}

function note(text) {
  lastSpeaker = null;
  append(element("li", "note", text));
}

function show({ id, name, text, at }) {
  if (seen.has(id)) return; // a history that we know the beginning of
  seen.add(id);
  const mine = name === me;
  const time = new Date(at * 1000);
  const entry = element("li", `message${mine ? " mine" : ""}${name === lastSpeaker ? " more" : ""}`);
  const head = element("p", "head");
  const stamp = element("time", "", time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  stamp.dateTime = time.toISOString();
  head.append(element("bdi", "name", name), stamp);
  const body = element("div", "body");
  body.append(head, element("p", "text", text));
  entry.append(avatar(name), body);
  lastSpeaker = name;
  append(entry, mine);
}

// --- who is here

function showOnline() {
  $("count").textContent = online.size;
  const names = [...online].sort((a, b) => a.localeCompare(b));
  $("names").replaceChildren(
    ...names.map((name) => {
      const entry = element("li");
      entry.append(avatar(name), element("bdi", "", name === me ? `${name} (you)` : name));
      return entry;
    }),
  );
}

line.on("joined", ({ name }) => {
  if (!me || online.has(name)) return;
  online.add(name);
  showOnline();
  note(`${name} joined`);
});

line.on("left", ({ name }) => {
  if (!online.delete(name)) return;
  showOnline();
  note(`${name} left`);
});

line.on("message", (message) => me && show(message));
line.on("__pp_error", (error) => complain(me ? $("composer") : $("welcome"), error));

// --- coming, going and coming back

async function join() {
  const name = $("name").value;
  try {
    const welcome = await line.request("join", { name, key: key() });
    me = welcome.name;
    online.clear();
    welcome.online.forEach((each) => online.add(each));
    $("welcome").hidden = true;
    $("room").hidden = false;
    sessionStorage.setItem("name", me);
    complain($("welcome"));
    welcome.history.forEach(show);
    showOnline();
    showState("open");
    $("text").focus();
  } catch (error) {
    if (error.code === "CONNECTION_ERROR") return; // the line comes back by itself, and we join again
    sessionStorage.removeItem("name");
    me = null;
    line.close();
    $("welcome").hidden = false;
    $("room").hidden = true;
    complain($("welcome"), error);
  }
}

const STATES = {
  connecting: "Connecting…",
  open: "",
  waiting: "No connection. Trying again…",
  closed: "This chat goes on in another tab.",
};

function showState(state) {
  const ready = state === "open" && me !== null;
  $("state").textContent = STATES[state];
  $("room").dataset.state = state;
  $("composer").querySelector("button").disabled = !ready;
  $("welcome").querySelector("button").disabled = state === "connecting" || state === "open";
}

line.onState = (state) => {
  showState(state);
  if (state === "open") join(); // we speak first: from then on the server answers in text
};

$("welcome").addEventListener("submit", (event) => {
  event.preventDefault();
  complain($("welcome"));
  line.open();
});

// --- writing

async function send() {
  const text = $("text").value;
  if (!text.trim() || !line.isOpen) return;
  $("text").value = "";
  fit();
  try {
    await line.request("say", { text });
    complain($("composer"));
  } catch (error) {
    $("text").value ||= text; // not said: it is theirs to send again
    fit();
    complain($("composer"), error);
  }
}

// The field is as high as what is written in it, up to what the style allows.
function fit() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight}px`;
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
$("text").addEventListener("input", fit);
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});

// A page that is loaded again goes on under its name.
const before = sessionStorage.getItem("name");
if (before) {
  $("name").value = before;
  line.open();
}
