// One pair at a time: a person accepts, corrects, rejects or skips it, by key or by button.

import { at, counted, drawChips, drawFacts, openLarge, picture, send, show, words } from "./elements.js";
import { Outbox } from "./outbox.js";

const READY = 4;
const ORDERS = {
  random: "at random", disagreement: "second opinion disagrees", agreement: "least agreement first", type: "each question type in turn",
};
const NAME = "curator-reviewer";
const key = pair => JSON.stringify([pair.item, pair.question, pair.answer]);
const ours = () => !at("review").hidden && !at("desk").hidden && !document.querySelector("dialog[open]");

export class Reviewer {
  constructor(told, filters) {
    this.told = told;
    this.filters = filters;
    this.ahead = [];
    this.current = null;
    this.done = 0;
    this.outbox = new Outbox(text => this.tellUnsaved(text), (pair, text) => this.refused(pair, text));
    for (const order of told.orders) show(at("order"), "option", ORDERS[order] ?? order).value = order;
    at("order").value = told.order;
    at("order").addEventListener("change", () => this.begin());
    at("which").addEventListener("click", () => {
      const open = at("filters").classList.toggle("open");
      at("which").setAttribute("aria-expanded", open);
    });
    at("hints").addEventListener("click", () => at("keys").showModal());
    at("frame").addEventListener("click", () => openLarge(this.current));
    this.listen();
    let name = told.reviewer;
    try { name ||= localStorage.getItem(NAME) ?? ""; } catch { /* a browser that keeps nothing */ }
    at("who").elements.reviewer.value = name;
    this.name = told.reviewer;
    addEventListener("pagehide", () => {
      if (this.name) navigator.sendBeacon("api/review/leave", JSON.stringify({ reviewer: this.name }));
    });
  }

  listen() {
    at("who").addEventListener("submit", event => {
      event.preventDefault();
      this.name = at("who").elements.reviewer.value.trim();
      try { localStorage.setItem(NAME, this.name); } catch { /* as above */ }
      this.begin();
    });
    for (const button of at("choices").children) button.addEventListener("click", () => this.act(button.dataset.act));
    Object.entries(this.told.reasons).forEach(([reason, text], place) => {
      const button = show(at("reasons"), "button");
      button.type = "button";
      show(button, "kbd", place + 1);
      button.append(` ${text}`);
      button.addEventListener("click", () => this.decide("rejected", { reason }));
    });
    at("correcting").addEventListener("submit", event => {
      event.preventDefault();
      this.decide("corrected", { correction: at("correcting").elements.correction.value });
    });
    at("rejecting").addEventListener("submit", event => {
      event.preventDefault();
      this.decide("rejected", { reason: at("rejecting").elements.reason.value });
    });
    document.querySelectorAll(".back").forEach(button => button.addEventListener("click", () => this.close()));
    addEventListener("keydown", event => this.key(event));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !ours()) return;
    if (event.key === "Escape") { this.close(); return; }
    const typing = event.target.matches("input, select, textarea");
    const reasons = at("reasons").children, place = Number(event.key) - 1;
    if (!at("rejecting").hidden && reasons[place] && !(typing && event.target.value)) {
      event.preventDefault();
      reasons[place].click();
      return;
    }
    if (typing || event.repeat) return;
    const act = { a: "accept", c: "correct", r: "reject", s: "skip", u: "undo", l: "large", "?": "help" }[event.key.toLowerCase()];
    if (act) { event.preventDefault(); this.act(act); }
  }

  act(name) {
    if (name === "help") at("keys").showModal();
    else if (name === "undo") this.undo();
    else if (!this.current) return;
    else if (name === "large") openLarge(this.current);
    else if (name === "accept") this.decide("accepted");
    else if (name === "skip") this.decide("skipped");
    else this.open(name === "correct" ? "correcting" : "rejecting");
  }

  open(form) {
    this.close();
    at(form).hidden = false;
    at("choices").hidden = true;
    // On a phone a field would bring up its keyboard, over the reasons.
    if (form === "correcting" || matchMedia("(pointer: fine)").matches) at(form).querySelector("input").focus({ preventScroll: true });
    // Where the form stands over the pair, its picture shrinks: then all of it is seen above the form.
    if (matchMedia("(max-width: 760px)").matches) at("pair").scrollIntoView({ block: "start" });
  }

  close() {
    for (const form of ["correcting", "rejecting"]) { at(form).hidden = true; at(form).reset(); }
    at("choices").hidden = false;
    at("complaint").textContent = "";
    // A field that is hidden would go on taking keys.
    at("question").focus({ preventScroll: true });
  }

  // Opens the view; without a name, asks for it.
  async begin() {
    at("who").hidden = Boolean(this.name);
    at("desk").hidden = !this.name;
    if (!this.name) { at("who").elements.reviewer.focus(); return; }
    at("reviewer").textContent = this.name;
    this.ahead = [];
    this.current = null;
    this.draw();
    await this.fill();
  }

  async fill() {
    const turn = this.turn = (this.turn ?? 0) + 1;
    await this.outbox.empty();
    // The first of an order is looked for among all pairs, which are millions now and then.
    const waiting = setTimeout(() => {
      if (!this.current) at("over").textContent = "Looking for the next pair among all of them; where there are millions, this takes some seconds ...";
    }, 1500);
    let told;
    try {
      told = await send("api/review/next", {
        reviewer: this.name, order: at("order").value, count: READY, wanted: this.filters.values,
      });
    } catch { return; } finally { clearTimeout(waiting); }
    if (turn !== this.turn) return;
    const here = this.current && key(this.current);
    this.ahead = told.pairs.filter(pair => key(pair) !== here && !this.outbox.has(key(pair)));
    for (const pair of this.ahead.slice(0, 2)) new Image().src = pair.picture;
    if (!this.current) this.next(true);
  }

  next(isFilled = false) {
    this.current = this.ahead.shift() ?? null;
    this.draw(isFilled);
  }

  draw(isFilled = false) {
    const pair = this.current;
    at("pair").hidden = !pair;
    this.close();
    at("over").hidden = Boolean(pair);
    at("over").textContent = isFilled ? "Nothing is left to judge in this order. Choose another, or other pairs." : "Looking for the next pair ...";
    at("choices").querySelectorAll(".was").forEach(button => button.classList.remove("was"));
    if (!pair) return;
    at("question").textContent = pair.question;
    at("answer").textContent = pair.answer;
    at("told").replaceChildren();
    drawChips(at("told"), pair);
    at("facts").replaceChildren();
    drawFacts(at("facts"), pair);
    at("frame").replaceChildren();
    picture(at("frame"), "span", pair.picture, `Image of listing ${pair.listing_id}`, "held");
  }

  decide(decision, { correction = "", reason = "" } = {}) {
    const pair = this.current;
    if (!pair) return;
    const complaint = decision === "corrected" && !correction.trim() ? "Write the right answer, or go back."
      : decision === "rejected" && !reason.trim() ? "Say why, or go back." : "";
    at("complaint").textContent = complaint;
    if (complaint) return;
    const { campaign, item, question, answer } = pair;
    this.outbox.put({ reviewer: this.name, campaign, item, question, answer, decision, correction, reason }, { ...pair, key: key(pair) });
    this.done += 1;
    at("tally").textContent = `${counted(this.done, "pair")} by you since you sat down`;
    this.next();
    this.fill();
  }

  async undo() {
    this.turn += 1;
    await this.outbox.empty();
    const campaign = Number(this.filters.values.campaign);
    let told;
    try { told = await send("api/review/undo", { reviewer: this.name, campaign }); } catch { return; }
    if (!told.pair) {
      at("complaint").textContent = "You have decided nothing that could be undone.";
      return;
    }
    if (this.current) this.ahead.unshift(this.current);
    this.current = told.pair;
    this.done = Math.max(0, this.done - 1);
    this.draw();
    const button = { accepted: "accept", corrected: "correct", rejected: "reject", skipped: "skip" }[told.review.decision];
    at("choices").querySelector(`[data-act=${button}]`).classList.add("was");
    at("tally").textContent = `Undone: ${told.review.decision}${told.review.correction ? ` to ${told.review.correction}` : ""}${told.review.reason ? `, ${words(told.review.reason)}` : ""}`;
  }

  refused(pair, text) {
    if (this.current) this.ahead.unshift(this.current);
    this.current = pair;
    this.draw();
    at("complaint").textContent = text;
  }

  tellUnsaved(text) {
    at("unsaved").hidden = !text;
    at("unsaved").textContent = text;
  }
}
