const show = (parent, tag, text) => {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  return element;
};
const row = (table, tag, cells) => {
  const line = show(table, "tr");
  cells.forEach(cell => show(line, tag, cell));
};
const counts = object => Object.entries(object).map(([k, v]) => `${k} ${v}`).join(", ") || "none";
const draw = (main, c) => {
  const p = c.progress, settled = p.done + p.dead;
  show(main, "h2", `${c.model}, ${c.questions} questions`);
  const bar = show(main, "progress");
  bar.max = p.total || 1;
  bar.value = settled;
  const left = c.eta_s === null ? "" : `, about ${Math.ceil(c.eta_s / 60)} min left`;
  show(main, "p", `${settled} of ${p.total} settled (${p.dead} given up)` +
    `, ${c.rate_per_minute.toFixed(1)} a minute${left}`);
  const facts = show(main, "table");
  row(facts, "td", ["pairs", c.pairs]);
  row(facts, "td", ["rejected", counts(c.rejected_by_rule)]);
  row(facts, "td", ["requests", counts(c.attempts)]);
  row(facts, "td", ["tokens", counts(c.tokens)]);
  const keys = show(main, "table");
  row(keys, "th", ["key", "project", "requests", "state"]);
  const cooling = Object.fromEntries(c.cooling_down.map(one => [one.project, one.until]));
  c.keys.forEach(k => row(keys, "td", [k.label, k.project, counts(k.outcomes),
    k.removed_because ? `removed: ${k.removed_because}` : cooling[k.project]
      ? `until ${new Date(cooling[k.project] * 1000).toLocaleString()}` : "ready"]));
  if (!c.dead_letters.length) return;
  const dead = show(main, "table");
  row(dead, "th", ["given up", "image", "reason"]);
  c.dead_letters.forEach(d => row(dead, "td", [d.listing_id, d.image_path, d.reason]));
};
const refresh = async () => {
  const status = await (await fetch("api/status")).json();
  const main = document.getElementById("campaigns");
  main.replaceChildren();
  status.campaigns.forEach(campaign => draw(main, campaign));
};
refresh();
setInterval(refresh, 3000);
