// Elements, their texts, and what the server is asked. Every text is set as text: it is not ours.

export const at = id => document.getElementById(id);

export const show = (parent, tag, text, classes = "") => {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  if (classes) element.className = classes;
  return element;
};

export const number = value => value.toLocaleString();
export const words = name => name.replaceAll("_", " ");
export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export class Refused extends Error {
  constructor(status, text) { super(text); this.status = status; }
}

const lost = text => {
  at("lost").hidden = !text;
  if (text && at("lost").textContent !== text) at("lost").textContent = text;
};

// A page that shows nothing tells why; one that shows something keeps it.
const answer = async response => {
  if (response.status === 401) location.href = "login";
  if (response.ok) return response.json();
  throw new Refused(response.status, (await response.text()).trim());
};
const asked = async (path, options) => {
  try {
    const told = await answer(await fetch(path, options));
    lost("");
    return told;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    lost(error instanceof Refused ? error.message : "The page has no connection to curator: it was ended, or cannot be reached.");
    throw error;
  }
};

export const get = (path, signal) => asked(path, { headers: { Accept: "application/json" }, signal });
export const send = (path, values) => asked(path, {
  method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(values),
});

export const picture = (parent, tag, address, alternative, classes) => {
  const frame = show(parent, tag, undefined, classes);
  const image = show(frame, "img");
  image.alt = alternative;
  image.loading = "lazy";
  image.addEventListener("error", () => { frame.textContent = "no picture"; });
  image.src = address;
  return frame;
};

const SAYS = { agrees: "good", disagrees: "warn" };
const DECIDED = { accepted: "good", corrected: "warn", rejected: "bad", skipped: "" };

// Which model made a pair is told where several did.
let tellsModels = false;
export const tellModels = several => { tellsModels = several; };

export const drawChips = (parent, pair) => {
  const chips = show(parent, "span", undefined, "chips");
  if (pair.rule) show(chips, "span", `broke ${words(pair.rule)}`, "chip bad");
  if (SAYS[pair.agreement]) show(chips, "span", `listing ${pair.agreement}`, `chip ${SAYS[pair.agreement]}`);
  if (pair.opinion === "waiting") show(chips, "span", "second opinion waits", "chip");
  else if (pair.opinion) show(chips, "span", `second opinion ${pair.opinion}: ${pair.second_answer}`, `chip ${SAYS[pair.opinion]}`);
  for (const review of pair.reviews) {
    const what = review.decision === "corrected" ? `corrected to ${review.correction}` : `${review.decision}${review.reason ? `: ${words(review.reason)}` : ""}`;
    show(chips, "span", `${review.reviewer} ${what}`, `chip ${DECIDED[review.decision]}`);
  }
  if (pair.style) show(chips, "span", words(pair.style), "chip");
  if (pair.type) show(chips, "span", pair.type, "chip");
  if (pair.model && tellsModels) show(chips, "span", pair.model, "chip");
};

export const drawFacts = (parent, pair) => {
  const facts = show(parent, "dl", undefined, "facts");
  for (const [name, text] of [["listing", pair.listing_id], ...Object.entries(pair.listing), ["image", pair.image_path]]) {
    show(facts, "dt", words(name));
    show(facts, "dd", text);
  }
};

export const openLarge = pair => {
  const content = at("large-content");
  content.replaceChildren();
  picture(content, "div", pair.picture, `Image of listing ${pair.listing_id}`, "frame");
  drawFacts(content, pair);
  at("large").showModal();
};
