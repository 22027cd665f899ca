// The page: a feed of numbered news, a button that cuts the line, and a count of what is missing, which stays 0.
import { Line } from "./line.js";

const SHOWN = 200; // entries of the feed
const STATES = { connecting: "connecting …", away: "the line is cut", open: "connected" };

const $ = (id) => document.getElementById(id);
const counts = { received: 0, cuts: 0, missed: 0, wrong: 0 };
let last = null, owed = 0; // the number of the last news; messages that are still to come of those that were missed

function count(name, by = 1) {
  $(name).textContent = counts[name] += by;
}

function show(text, kind) {
  const entry = document.createElement("li");
  entry.textContent = text;
  if (kind) entry.className = kind;
  $("feed").prepend(entry);
  while ($("feed").childElementCount > SHOWN) $("feed").lastChild.remove();
}

const line = new Line(location.href.replace(/^http/, "ws"), {
  state(name) {
    $("state").textContent = STATES[name];
    $("state").dataset.is = name;
  },
  recovery({ recovered, missedCount }) {
    show(recovered ? `back: ${missedCount} missed, here they come` : "back, but too late: begins anew", "note");
    if (recovered) count("missed", (owed = missedCount));
    else last = null;
  },
  message(type, { n, text }) {
    const late = owed > 0 && owed-- > 0;
    if (type !== "news") return;
    if (last !== null && n !== last + 1) count("wrong", Math.abs(n - last - 1) || 1);
    last = n;
    count("received");
    show(`${n}  ${text}`, late ? "late" : "");
  },
});

$("cut").addEventListener("click", () => {
  count("cuts");
  show("cut", "note");
  line.cut(Number($("seconds").value) * 1000);
});
$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("text").value && line.send("say", { text: $("text").value })) $("text").value = "";
});
