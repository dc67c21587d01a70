// The page's beginning: what the ledger holds, and which view is open. The address says both.

import { at, get, show, tellModels } from "./elements.js";
import { Browser } from "./browse.js";
import { Figures } from "./figures.js";
import { Filters } from "./filters.js";
import { Reviewer } from "./review.js";

const ledger = await get("api/ledger");
at("ledger").textContent = ledger.ledger;
tellModels(ledger.campaigns.some(each => Object.keys(each.models).length > 1));
document.title = `${ledger.ledger} – curator`;

const filters = new Filters(ledger, () => { remember(); views[open].begin(); });
const views = { browse: new Browser(filters) };
if (ledger.review) views.review = new Reviewer(ledger.review, filters);
views.figures = new Figures(filters);
const NAMES = { browse: "Browse", review: "Review", figures: "Results" };
let open = null;

const remember = () => history.replaceState(null, "", `#${open}?${filters.query}`);
const turnTo = name => {
  open = name;
  document.body.className = { review: "reviewing", figures: "telling" }[name] ?? "";
  for (const view of Object.keys(NAMES)) at(view).hidden = view !== name;
  for (const link of at("tabs").children) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  remember();
  views[name].begin();
};

if (Object.keys(views).length > 1) {
  for (const view of Object.keys(views)) {
    const link = show(at("tabs"), "a", NAMES[view]);
    link.href = `#${view}`;
    link.dataset.view = view;
    link.addEventListener("click", event => { event.preventDefault(); turnTo(view); });
  }
}
const [asked, query] = location.hash.slice(1).split("?");
filters.take(query ?? "");
if (ledger.campaigns.length) turnTo(asked in views ? asked : ledger.review ? "review" : "browse");
else at("end").textContent = "This ledger holds nothing yet; let curator run work first.";
