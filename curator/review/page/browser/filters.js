// Which pairs are looked at: the form, and the same in the page's address, so that it can be passed on.

import { at, number, show, words } from "./elements.js";

const form = at("filters");
const CALM_MS = 250;
const choices = (name, options) => {
  const select = form.elements[name], before = select.value;
  select.replaceChildren();
  for (const [value, text] of options) show(select, "option", text).value = value;
  if (options.some(([value]) => value === before)) select.value = before;
};

const named = counts => Object.entries(counts).map(([name, count]) => [name, `${words(name) || "unknown"} (${number(count)})`]);

export class Filters {
  constructor(ledger, changed) {
    this.ledger = ledger;
    const campaigns = ledger.campaigns.map(each => [String(each.id), `${each.id}: prompt ${each.prompt_version}, ${number(each.pairs)} pairs`]);
    choices("campaign", campaigns.reverse());
    form.querySelector(".campaign").hidden = campaigns.length < 2;
    choices("kind", [["", "any"], ...ledger.kinds.map(kind => [kind, kind])]);
    const most = ledger.campaigns.reduce((best, each) => each.pairs && (!best || each.id > best.id) ? each : best, null);
    if (most) form.elements.campaign.value = String(most.id);
    let timer = null;
    const later = () => { clearTimeout(timer); timer = setTimeout(() => { this.adjust(); changed(); }, CALM_MS); };
    form.addEventListener("input", later);
    form.addEventListener("reset", () => setTimeout(later));
    form.addEventListener("submit", event => event.preventDefault());
    this.adjust();
  }

  adjust() {
    const campaign = this.ledger.campaigns.find(each => String(each.id) === form.elements.campaign.value);
    choices("model", [["", "any"], ...named(campaign?.models ?? {}).filter(([name]) => name)]);
    choices("rule", [["", "any"], ...named(campaign?.rules ?? {})]);
    choices("style", [["", "any"], ...(campaign?.styles ?? []).map(style => [style, words(style)])]);
    const shown = form.elements.shown.value, hasText = shown === "accepted" || shown === "refused";
    for (const name of ["question", "answer", "model", "kind"]) form.elements[name].closest("label").hidden = !hasText;
    for (const name of ["agreement", "opinion", "decision"]) form.elements[name].closest("label").hidden = shown !== "accepted";
    form.elements.style.closest("label").hidden = shown !== "accepted" || !campaign?.styles.length;
    form.elements.rule.closest("label").hidden = shown !== "refused";
    const used = [...at("more").querySelectorAll("input, select")].filter(field => field.value && !field.closest("label").hidden);
    at("set").textContent = used.length ? `${used.length} set` : "";
  }

  get values() {
    const fields = [...form.elements].filter(field => field.name && field.value && !field.closest("[hidden]:not(.campaign)"));
    return Object.fromEntries(fields.map(field => [field.name, field.value]));
  }

  get query() { return new URLSearchParams(this.values).toString(); }

  take(query) {
    for (const [name, value] of new URLSearchParams(query)) {
      if (form.elements[name]) { form.elements[name].value = value; this.adjust(); }
    }
    at("more").open = Boolean(at("set").textContent);
  }
}
