"use strict";

const byId = id => document.getElementById(id);
const [form, image, question, error] = ["form", "image", "question", "error"].map(byId);
let picture = null;

const add = (parent, tag, text) => {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  return element;
};

const choose = file => {
  if (!file) return;
  picture = file;
  byId("preview").src = URL.createObjectURL(file);
  byId("preview").hidden = false;
  byId("hint").hidden = true;
  error.textContent = "";
  question.focus();
};

const show = (asked, reply, source) => {
  byId("answers-title").hidden = false;
  const item = document.createElement("li");
  const small = add(item, "img");
  small.src = source;
  small.alt = "";
  const text = add(item, "div");
  add(text, "small", asked);
  add(text, "b", reply.answer || "(no answer)");
  const sure = add(item, "span", `${Math.round(100 * reply.confidence)} %`);
  sure.title = "The model's own probability of this answer";
  byId("answers").prepend(item);
};

const ask = async () => {
  const body = new FormData();
  body.append("image", picture);
  body.append("question", question.value);
  const response = await fetch("answer", { method: "POST", body });
  const reply = await response.json();
  if (!response.ok) throw new Error(reply.error);
  return reply;
};

image.addEventListener("change", () => choose(image.files[0]));
document.addEventListener("paste", event => choose(event.clipboardData.files[0]));
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  byId("drop").addEventListener(name, event => {
    event.preventDefault();
    byId("drop").classList.toggle("over", over);
    if (name === "drop") choose(event.dataTransfer.files[0]);
  });
}

form.addEventListener("submit", async event => {
  event.preventDefault();
  error.textContent = picture ? "" : "Choose a picture first.";
  if (!picture) return;
  byId("ask").disabled = true;
  try {
    show(question.value, await ask(), byId("preview").src);
    question.select();
  } catch (failure) {
    error.textContent = failure.message;
  } finally {
    byId("ask").disabled = false;
  }
});

fetch("api/model").then(response => response.json()).then(model => {
  const adapter = model.adapter_sha256 ? ` with adapter ${model.adapter_sha256.slice(0, 8)}` : "";
  byId("model").textContent = `${model.model}${adapter}, ${model.quantization}, on ${model.device}`;
});
