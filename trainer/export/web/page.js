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
}

function tell(error) {
  console.error(error);
  trouble.textContent = error.message || String(error);
  trouble.hidden = false;
  say(vqa === null ? "" : seen === null ? "Choose a picture." : "Ask about it.");
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
  // What kept the model from being loaded is on the page already.
  if (vqa === null) return;
  trouble.hidden = true;
  seen = null;
  question.disabled = ask.disabled = canvas.hidden = true;
  answers.replaceChildren();
  say("Looking at the picture …");
  const picture = await drawn(blob);
  canvas.hidden = false;
  seen = await vqa.see(picture);
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
    throw new Error(`${blob.name || "This"}: not a picture that this browser reads`);
  }
  const { width, height } = picture;
  [canvas.width, canvas.height] = [width, height];
  try {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(picture, 0, 0);
    return context.getImageData(0, 0, width, height);
  } catch {
    throw new Error(
      `${blob.name || "This"}: ${width} x ${height} is more than this browser draws; scale it down`,
    );
  } finally {
    picture.close();
  }
}

async function answer(asked) {
  if (seen === null) return;
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

file.addEventListener("change", () => {
  take([...file.files]);
  // The same file may be chosen again, once it was mended.
  file.value = "";
});
// Wherever it falls: beside the box, the browser would leave the page for the picture.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => take([...event.clipboardData.files]));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = question.value.trim();
  if (asked) inTurn(() => answer(asked));
});

// While the model is loading, a picture waits for it.
function take(files) {
  const picture = files.find(({ type }) => type.startsWith("image/")) ?? files[0];
  if (picture) inTurn(() => show(picture));
}

say("Loading …");
inTurn(load);
