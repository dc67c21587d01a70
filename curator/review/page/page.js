// The page's beginning: what the ledger holds, and which view is open.

import { at, get, tellModels } from "./elements.js";
import { Browser } from "./browse.js";
import { Filters } from "./filters.js";

const ledger = await get("api/ledger");
at("ledger").textContent = ledger.ledger;
tellModels(ledger.campaigns.some(each => Object.keys(each.models).length > 1));
document.title = `${ledger.ledger} – curator`;

const remember = () => history.replaceState(null, "", `#browse?${filters.query}`);
const filters = new Filters(ledger, () => { remember(); browser.begin(); });
const browser = new Browser(filters);
filters.take(location.hash.split("?")[1] ?? "");
if (ledger.campaigns.length) browser.begin();
else at("end").textContent = "This ledger holds nothing yet; let curator run work first.";
