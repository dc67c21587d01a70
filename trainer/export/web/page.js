// A picture, questions about it, and what the model answers; nothing is sent anywhere.

import { Vqa } from "./vqa.js";

const [state, trouble, drop, file, canvas, form, question, ask, answers] = [
  "state", "trouble", "drop", "file", "picture", "form", "question", "ask", "answers",
].map((id) => document.getElementById(id));

let vqa = null;
let seen = null;
// Pictures and questions are taken one after the other: a graph runs once at a time.
let last = Promise.resolve();

function inTurn(work) {
  last = last.then(work).catch(tell);
  return last;
}

function tell(error) {
  console.error(error);
  trouble.textContent = error.message ?? String(error);
  trouble.hidden = false;
}

function say(words) {
  state.textContent = words;
}

async function load() {
  vqa = await Vqa.load(new URL("./", import.meta.url), say);
  document.getElementById("model").textContent =
    `${vqa.manifest.model}, ${vqa.manifest.variant}`;
  file.disabled = false;
  say("Choose a picture.");
}

async function show(blob) {
  trouble.hidden = true;
  seen = null;
  question.disabled = ask.disabled = true;
  say("Looking at the picture …");
  seen = await vqa.see(await drawn(blob));
  answers.replaceChildren();
  question.disabled = ask.disabled = false;
  question.focus();
  say("Ask about it.");
}

// Return a picture's pixels: turned as its camera says, on white, colours as they are in the file.
async function drawn(blob) {
  let picture;
  try {
    picture = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    canvas.hidden = true;
    say("Choose a picture.");
    throw new Error(`${blob.name ?? "This"}: not a picture that this browser reads`);
  }
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0);
  picture.close();
  canvas.hidden = false;
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

async function answer(asked) {
  if (!seen) return;
  trouble.hidden = true;
  say("Thinking …");
  const { text, confidence } = await vqa.ask(seen, asked);
  answers.prepend(row(asked, text, confidence));
  say("Ask about it.");
}

function row(asked, text, confidence) {
  const item = document.createElement("li");
  const [said, sure, share] = ["b", "meter", "span"].map((tag) => document.createElement(tag));
  said.textContent = text || "(nothing)";
  sure.value = confidence;
  sure.title = "the answer's probability, as the model sees it";
  share.className = "soft";
  share.textContent = ` ${Math.round(100 * confidence)} %`;
  item.append(asked, document.createElement("br"), said, " ", sure, share);
  return item;
}

file.addEventListener("change", () => file.files[0] && inTurn(() => show(file.files[0])));
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(event.dataTransfer);
});
document.addEventListener("paste", (event) => take(event.clipboardData));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = question.value;
  inTurn(() => answer(asked));
});

function take(data) {
  const picture = [...data.files].find(({ type }) => type.startsWith("image/"));
  if (vqa && picture) inTurn(() => show(picture));
}

inTurn(load);
