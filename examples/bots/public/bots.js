// The page: says that it plays, shows each round, and sends what is thrown. It can't tell a bot from a person.

const byId = (id) => document.getElementById(id);
const buttons = [...byId("hands").children];

let line; // the WebSocket
let name = "";
let opponent = "";
let asked = 0; // acks that were asked for
const answers = new Map(); // ack id → what to do with the answer

// --- sending

function send(type, payload, answer) {
  const __ackId = answer && ++asked;
  if (answer) answers.set(__ackId, answer);
  line.send(JSON.stringify({ type, payload, __ackId }));
}

function play() {
  byId("problem").hidden = true;
  send("play", { name }, (error) => {
    if (error) return complain(error.message);
    byId("welcome").hidden = true;
    say("Looking for somebody …");
  });
}

function choose(button) {
  for (const each of buttons) each.disabled = true;
  button.classList.add("chosen");
  say(`You threw ${button.value}. ${opponent} is thinking …`);
  send("throw", button.value, () => {});
}

// --- showing

const say = (text) => (byId("state").textContent = text);

function complain(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = false;
}

function ready(can) {
  for (const button of buttons) {
    button.disabled = !can;
    button.classList.remove("chosen");
  }
}

const showScore = ([mine, theirs]) => (byId("score").textContent = `${name} ${mine} : ${theirs} ${opponent}`);

function welcome(text, button) {
  ready(false);
  byId("welcome").hidden = false;
  byId("welcome").querySelector("button").textContent = button;
  say(text);
}

const outcomes = { won: "You win the round", lost: "You lose the round", drawn: "Nobody wins the round" };
const endings = { won: "You have won the match!", lost: "You have lost the match.", left: "The match is over: nobody is on the other side." };

// --- hearing

const heard = {
  round({ number, against, seconds, score }) {
    opponent = against;
    if (number === 1) byId("results").replaceChildren();
    byId("match").hidden = false;
    showScore(score);
    say(`Round ${number} against ${against}: ${seconds} seconds.`);
    ready(true);
  },
  result({ mine = "nothing", theirs = "nothing", outcome }) {
    const item = document.createElement("li");
    item.className = outcome;
    item.textContent = `${outcomes[outcome]}: ${mine} against ${theirs}`;
    byId("results").append(item);
    ready(false);
    say(`${outcomes[outcome]}.`);
  },
  over({ outcome, score }) {
    if (opponent) showScore(score);
    welcome(endings[outcome], "Play again");
  },
  __pp_ack({ ackId, args, error }) {
    const answer = answers.get(ackId);
    answers.delete(ackId);
    answer?.(error, args[0]);
  },
};

// --- the line

function connect() {
  line = new WebSocket(location.href.replace(/^http/, "ws"));
  line.onopen = play;
  line.onmessage = ({ data }) => {
    const { type, payload } = JSON.parse(data);
    heard[type]?.(payload);
  };
  line.onclose = () => {
    line = undefined;
    welcome("The line is gone.", "Play again");
  };
}

for (const button of buttons) button.addEventListener("click", () => choose(button));

byId("welcome").addEventListener("submit", (event) => {
  event.preventDefault();
  name = byId("name").value.trim();
  if (line?.readyState === WebSocket.OPEN) play();
  else if (!line) connect();
});
