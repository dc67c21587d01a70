// All pairs, page by page. Where few are found, the server looks at a stretch at a time: go on asking.

import { at, counted, drawChips, get, number, openLarge, picture, show } from "./elements.js";

const drawPair = (list, pair) => {
  const line = show(list, "li");
  show(line, "span", pair.question, "question");
  show(line, "b", pair.answer);
  drawChips(line, pair);
};

const drawCard = (list, pair) => {
  const card = show(list, "li", undefined, "card");
  card.dataset.item = pair.item;
  const frame = picture(card, "button", pair.thumbnail, `Image of listing ${pair.listing_id}, larger`, "picture");
  frame.type = "button";
  frame.addEventListener("click", () => openLarge(pair));
  const body = show(card, "div", undefined, "body");
  show(body, "h2", pair.listing_id);
  const title = pair.listing.item_name ?? pair.listing.title ?? Object.values(pair.listing)[0];
  if (title) show(body, "p", title, "soft title");
  if (pair.reason) show(body, "p", pair.reason, "wrong");
  if (pair.question) show(body, "ul", undefined, "pairs");
  return card;
};

export class Browser {
  constructor(filters) {
    this.filters = filters;
    at("further").addEventListener("click", () => this.further());
    new IntersectionObserver(([entry]) => { if (entry.isIntersecting && !at("further").hidden) this.further(); },
      { rootMargin: "600px" }).observe(at("further"));
  }

  async begin() {
    this.stop?.abort();
    const stop = this.stop = new AbortController();
    this.next = "";
    this.shown = 0;
    at("pairs").replaceChildren();
    at("further").hidden = true;
    at("end").textContent = "";
    at("count").textContent = "Looking ...";
    await Promise.all([this.further(stop), this.count(stop)]).catch(error => { if (error.name !== "AbortError") console.info(error.message); });
  }

  async further(stop = this.stop) {
    if (this.asking === stop || this.next === null) return;
    this.asking = stop;
    at("further").hidden = true;
    try {
      const query = this.filters.query, before = this.shown;
      let looked = 0;
      do {
        const told = await get(`api/pairs?${query}${this.next ? `&after=${this.next}` : ""}`, stop.signal);
        told.pairs.forEach(pair => this.draw(pair));
        this.next = told.next;
        looked += told.looked_at;
        if (this.next && this.shown === before) at("end").textContent = `${number(looked)} images looked at ...`;
      } while (this.next && this.shown === before);
      at("end").textContent = this.next ? "" : this.shown ? "That is all." : "Nothing of this kind.";
      at("further").hidden = !this.next;
    } finally {
      if (this.asking === stop) this.asking = null;
    }
  }

  draw(pair) {
    const last = at("pairs").lastElementChild;
    const card = last?.dataset.item === String(pair.item) ? last : drawCard(at("pairs"), pair);
    if (pair.question) drawPair(card.querySelector(".pairs"), pair);
    this.shown += 1;
  }

  async count(stop) {
    const query = this.filters.query;
    const things = ["given_up", "waiting"].includes(this.filters.values.shown) ? ["image"] : ["pair"];
    let total = 0, next = "";
    do {
      const told = await get(`api/pairs/count?${query}${next ? `&after=${next}` : ""}`, stop.signal);
      total += told.count;
      next = told.next;
      at("count").textContent = next ? `${counted(total, ...things)} so far ...` : counted(total, ...things);
    } while (next);
  }
}
