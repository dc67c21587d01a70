// Asks the run how it is, and shows it. Every text is set as text: a catalogue's words are not ours.

import { drawChart } from "./chart.js";
import { moment, momentToTheSecond } from "./moment.js";

const STATUS_EVERY_MS = 2000, NEWEST_EVERY_MS = 5000, HISTORY_EVERY_MS = 10000;
const NOT_ERRORS = new Set(["open", "answered", "shed"]);

const at = id => document.getElementById(id);
const show = (parent, tag, text, classes = "") => {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  if (classes) element.className = classes;
  return element;
};
const number = value => value.toLocaleString();
const counts = object => Object.entries(object).map(([name, count]) => `${name.replaceAll("_", " ")} ${number(count)}`).join(", ");
const dollars = value => value === null ? "unknown" : `$ ${value.toFixed(value >= 1 ? 2 : 4)}`;
const duration = seconds => {
  const minutes = Math.max(1, Math.round(seconds / 60)), days = Math.floor(minutes / 1440), hours = Math.floor(minutes % 1440 / 60);
  if (days) return `${number(days)} ${days === 1 ? "day" : "days"} ${hours} h`;
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
};

const drawProgress = campaign => {
  const { done, dead, pending, total } = campaign.progress;
  const goal = campaign.goal ?? total, settled = done + dead, share = goal ? settled / goal : 0;
  const percent = `${(Math.floor(share * 1000) / 10).toLocaleString()} %`;
  document.title = `${percent} – curator`;
  const others = Object.entries(campaign.pairs_by_model).filter(([name]) => !campaign.models.includes(name));
  const before = others.map(([name, count]) => `, ${number(count)} pairs by ${name || "an unknown model"}`).join("");
  at("model").textContent = `${campaign.models.join(", ")}: ${campaign.questions} questions an image${before}`;
  at("percent").textContent = percent;
  at("settled").textContent = `${number(settled)} of ${number(goal)} images${goal < total ? ` (${number(total)} in the catalogue)` : ""}`;
  const over = (settled >= goal || pending === 0) && campaign.second_opinions.waiting === 0;
  at("left").textContent = over ? "done" : campaign.eta_s === null ? "time left unknown" : `${duration(campaign.eta_s)} left`;
  at("until").textContent = over ? "" : campaign.eta_s === null ? campaign.eta_unknown_because : `${campaign.ends_by_budget ? "by budget" : "under these quotas"}, until ${moment(campaign.ends_at)}`;
  const bar = at("bar");
  bar.setAttribute("aria-valuemax", goal || 1);
  bar.setAttribute("aria-valuenow", settled);
  bar.setAttribute("aria-valuetext", `${number(settled)} of ${number(goal)} images, ${percent}`);
  bar.children[0].style.width = `${goal ? done / goal * 100 : 0}%`;
  bar.children[1].style.width = `${goal ? dead / goal * 100 : 0}%`;
};

const drawState = campaign => {
  const states = campaign.keys.map(key => key.state), state = at("state");
  const serving = campaign.keys.filter(key => key.state !== "removed");
  const waits = serving.length > 0 && !states.includes("ready");
  const until = Math.min(...serving.map(key => key.until ?? Infinity));
  state.className = `state ${waits ? "waiting" : serving.length ? "working" : "stuck"}`;
  state.textContent = waits ? `waiting for quota until ${moment(until)}` : serving.length ? "at work" : "no key is left";
};

const budgetWords = ({ usd, tokens, spent_usd, spent_tokens }) => [
  ...(usd === null ? [] : [`${dollars(spent_usd)} of ${dollars(usd)}`]),
  ...(tokens === null ? [] : [`${number(spent_tokens)} of ${number(tokens)} tokens`]),
].join(", ");
const budgetShare = ({ usd, tokens, spent_usd, spent_tokens }) =>
  `${(100 * Math.max(usd === null ? 0 : spent_usd / usd, tokens === null ? 0 : spent_tokens / tokens)).toFixed(1)} %`;

const batchWords = ({ jobs, requests_held, oldest_at }) => [
  number(Object.values(requests_held).reduce((sum, count) => sum + count, 0)),
  `${counts(jobs)}${oldest_at === null ? "" : `; oldest of ${moment(oldest_at)}`}`,
];

const unfitWords = unfit => [
  number(Object.values(unfit).reduce((sum, count) => sum + count, 0)),
  Object.entries(unfit).map(([reason, count]) => `${number(count)} ${reason}`).join("; "),
];

const drawTiles = campaign => {
  const { tokens } = campaign;
  const all = Object.values(campaign.attempts).reduce((sum, count) => sum + count, 0);
  const failed = Object.entries(campaign.attempts).filter(([name]) => !NOT_ERRORS.has(name)).reduce((sum, [, count]) => sum + count, 0);
  const rejected = Object.values(campaign.rejected_by_rule).reduce((sum, count) => sum + count, 0);
  const tiles = [
    ["images a minute", campaign.rate_per_minute.toFixed(1), "over the last five minutes"],
    ["pairs", number(campaign.pairs), `${number(rejected)} rejected`],
    ["requests", number(all), all ? `${(failed / all * 100).toFixed(1)} % brought nothing` : ""],
    ["tokens", number(tokens.input + tokens.output + tokens.thoughts), `${number(tokens.input)} in, ${number(tokens.output + tokens.thoughts)} out`],
    ["cost", dollars(campaign.cost_usd), campaign.cost_usd === null ? "no price known for a model" : "list price; free keys pay nothing"],
    ...(campaign.budget ? [["budget", budgetShare(campaign.budget), budgetWords(campaign.budget)]] : []),
    ...(Object.keys(campaign.batch_jobs.jobs).length ? [["in batch jobs", ...batchWords(campaign.batch_jobs)]] : []),
    ["given up", number(campaign.progress.dead), "images"],
    ...(Object.keys(campaign.unfit).length ? [["left out as asked", ...unfitWords(campaign.unfit)]] : []),
  ];
  at("tiles").replaceChildren(...tiles.map(([name, value, note]) => {
    const tile = document.createElement("div");
    show(tile, "dt", name);
    show(tile, "dd", value);
    show(tile, "dd", note, "soft");
    return tile;
  }));
};

const drawKeys = campaign => {
  const order = ["ready", "cooling down", "resting", "removed"];
  const keys = [...campaign.keys].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  at("keys-sum").textContent = order.map(state => [state, keys.filter(key => key.state === state).length])
    .filter(([, count]) => count).map(([state, count]) => `${count} ${state}`).join(", ");
  at("keys").replaceChildren(...keys.map(key => {
    const row = document.createElement("tr");
    show(row, "th", key.label).scope = "row";
    const words = key.state === "removed" ? `removed: ${key.removed_because}` : key.state === "resting" ? "done for today" : key.state;
    const state = show(row, "td");
    show(state, "span", words, `chip ${key.state.replaceAll(" ", "-")}`);
    if (key.until !== null) show(state, "small", `until ${moment(key.until)}`);
    const limit = key.requests_a_day, today = show(row, "td", undefined, "today");
    show(today, "span", limit === null ? number(key.requests_today) : `${number(key.requests_today)} of ${number(limit)}`);
    if (limit !== null) {
      const use = show(today, "span", undefined, "use");
      use.setAttribute("aria-hidden", "true");
      show(use, "i").style.width = `${Math.min(100, key.requests_today / limit * 100)}%`;
    }
    show(row, "td", key.project);
    show(row, "td", counts(key.outcomes) || "none");
    return row;
  }));
};

const drawAsked = campaign => {
  at("asked-section").hidden = campaign.models.length < 2;
  at("asked").replaceChildren(...campaign.models.map(model => {
    const quotas = campaign.quotas.filter(quota => quota.model === model);
    const limits = quotas.filter(quota => !quota.refused_because).map(quota => quota.limits.rpd);
    const sum = numbers => numbers.reduce((total, one) => total + one, 0);
    const limit = limits.length && !limits.includes(null) ? ` of ${number(sum(limits))}` : "";
    const states = {};
    for (const quota of quotas) {
      const state = quota.refused_because ? "not served" : quota.state;
      states[state] = (states[state] ?? 0) + 1;
    }
    const row = document.createElement("tr");
    show(row, "th", model).scope = "row";
    show(row, "td", number(sum(quotas.map(quota => quota.requests_today))) + limit);
    show(row, "td", counts(states) || "none");
    show(row, "td", number(campaign.pairs_by_model[model] ?? 0), "number");
    show(row, "td", counts(campaign.attempts_by_model[model] ?? {}) || "none");
    return row;
  }));
};

const drawErrors = campaign => {
  const all = Object.values(campaign.attempts).reduce((sum, count) => sum + count, 0);
  const unsent = Object.fromEntries(Object.keys(campaign.last_errors).map(name => [name, 0]));
  const errors = Object.entries({ ...unsent, ...campaign.attempts }).filter(([name]) => !NOT_ERRORS.has(name)).sort((a, b) => b[1] - a[1]);
  at("errors").replaceChildren(...errors.map(([name, count]) => {
    const row = document.createElement("tr");
    show(row, "th", name.replaceAll("_", " ")).scope = "row";
    show(row, "td", number(count), "number");
    show(row, "td", count ? `${(count / all * 100).toFixed(1)} %` : "", "number");
    show(row, "td", campaign.last_errors[name] ?? "");
    return row;
  }));
  if (!errors.length) show(show(at("errors"), "tr"), "td", "none so far").colSpan = 4;
  const rejected = counts(campaign.rejected_by_rule);
  at("rejected").textContent = rejected ? `Pairs rejected by rule: ${rejected}.` : "";
};

const opinionWords = opinions => {
  const told = opinions.agrees + opinions.disagrees;
  const share = told ? `; ${(opinions.agrees / told * 100).toFixed(1)} % of those answered agree` : "";
  return counts(opinions) + share;
};

// Another model than the one that was asked, and models that will be shut down.
const drawModels = campaign => {
  const others = campaign.replies_by_model.filter(told => told.is_another)
    .map(told => `${told.answered_by} answered ${told.replies === 1 ? "once" : `${number(told.replies)} times`} in the place of ${told.asked}.`);
  const ends = campaign.retirements.map(end =>
    `${end.model} ${end.at * 1000 > Date.now() ? "retires" : "retired"} on ${moment(end.at)} (says ${end.said_by})`
    + (end.followed_by ? `; ${end.followed_by} follows it.` : "."));
  const changed = campaign.canaries.models.filter(told => told.is_alarm).map(told =>
    `${told.model} may have changed under its name on ${told.changed_on}: ${number(told.equal)} of ${number(told.compared)} answers as on ${told.first_day}, where ${wholePercent(told.usual_share)} were usual.`);
  const list = at("models");
  list.hidden = !others.length && !ends.length && !changed.length;
  list.replaceChildren();
  [...changed, ...others, ...ends].forEach(text => show(list, "li", text));
};

// Questions that are asked again each day: whether a model is still itself.
const wholePercent = share => share === null ? "" : `${Math.round(share * 100)} %`;
const drawCanaries = campaign => {
  const { models } = campaign.canaries;
  at("canaries-section").hidden = !models.length;
  at("canaries").replaceChildren(...models.map(told => {
    const row = document.createElement("tr");
    show(row, "th", told.model).scope = "row";
    show(row, "td", told.day, "day");
    show(row, "td", told.share === null ? "" : `${number(told.equal)} of ${number(told.compared)}`, "number");
    show(row, "td", told.share === null ? "" : `${wholePercent(told.share)} (${wholePercent(told.interval[0])} to ${wholePercent(told.interval[1])})`);
    show(row, "td", wholePercent(told.usual_share));
    const words = told.is_alarm ? `may have changed on ${told.changed_on}` : told.share === null ? `${number(told.asked)} first answers` : told.chance === null ? "no day to compare with yet" : "as before";
    show(show(row, "td"), "span", words, `chip ${told.is_alarm ? "removed" : told.chance === null ? "" : "ready"}`);
    return row;
  }));
};

const drawReplies = (campaign, reviews) => {
  const { by_form, by_ending, wrong_count, rejected } = campaign.replies, opinions = campaign.second_opinions;
  const rows = [
    ["forms", counts(by_form)],
    ["endings", counts(by_ending)],
    ["of no use", counts(rejected)],
    ["wrong number of pairs", wrong_count ? number(wrong_count) : ""],
    ["second opinions", Object.values(opinions).some(count => count) ? opinionWords(opinions) : ""],
    ["people", reviews.find(review => review.campaign === campaign.id)?.in_words],
  ];
  at("replies").replaceChildren(...rows.filter(([, told], place) => told || place < 3).map(([name, told]) => {
    const row = document.createElement("tr");
    show(row, "th", name).scope = "row";
    show(row, "td", told || "none");
    return row;
  }));
};

const drawSpending = campaign => {
  at("spending-section").hidden = !campaign.spending.length;
  at("spending").replaceChildren(...campaign.spending.map(({ asked, answered_by, is_another, tier, tokens, usd }) => {
    const row = document.createElement("tr");
    const who = is_another ? `${asked}, answered by ${answered_by}` : asked;
    show(row, "th", tier === "standard" ? who : `${who} (${tier})`).scope = "row";
    for (const kind of ["input", "images", "cached", "output", "thoughts"]) show(row, "td", number(tokens[kind]), "number");
    show(row, "td", dollars(usd), "number");
    return row;
  }));
};

const drawDead = campaign => {
  at("dead-section").hidden = !campaign.progress.dead;
  at("dead-sum").textContent = `${number(campaign.progress.dead)} images`;
  at("dead").replaceChildren(...campaign.dead_letters.map(letter => {
    const row = document.createElement("tr");
    show(row, "th", letter.listing_id).scope = "row";
    show(row, "td", letter.image_path);
    show(row, "td", letter.reason);
    return row;
  }));
};

const drawPair = (list, pair) => {
  const line = show(list, "li", undefined, pair.rule ? "rejected" : "accepted");
  show(line, "span", pair.question, "question");
  show(line, "b", pair.answer);
  if (pair.rule) show(line, "span", `rejected: ${pair.rule.replaceAll("_", " ")}`, "chip rejected");
  else if (pair.agreement === "agrees") show(line, "span", "agrees with listing", "chip agrees");
  else if (pair.agreement === "disagrees") show(line, "span", "disagrees with listing", "chip disagrees");
};

const drawCard = item => {
  const card = document.createElement("li");
  card.className = `card ${item.state}`;
  card.dataset.key = `${item.item} ${item.finished_at}`;
  const picture = show(card, "div", undefined, "picture");
  const image = show(picture, "img");
  image.alt = `Image of listing ${item.listing_id}`;
  image.loading = "lazy";
  image.addEventListener("error", () => { picture.textContent = "no picture"; });
  image.src = item.thumbnail;
  const head = show(card, "div", undefined, "head");
  show(head, "h3", item.listing_id);
  const kept = item.pairs.filter(pair => !pair.rule).length;
  show(head, "p", `${kept} accepted, ${item.pairs.length - kept} rejected`);
  show(head, "p", `${momentToTheSecond(item.finished_at)}, ${item.key}`, "soft");
  show(head, "p", item.image_path, "soft file");
  if (item.state !== "done") show(head, "p", item.detail, "wrong");
  const list = show(card, "ul", undefined, "pairs");
  item.pairs.forEach(pair => drawPair(list, pair));
  return card;
};

// Cards that are there already stay, so that nothing jumps under the reader's eyes.
const drawNewest = items => {
  const list = at("newest");
  const known = new Map([...list.children].map(card => [card.dataset.key, card]));
  list.replaceChildren(...items.map(item => known.get(`${item.item} ${item.finished_at}`) ?? drawCard(item)));
  at("none-yet").hidden = items.length > 0;
};

const get = async path => {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (response.status === 401) { location.href = "login"; }
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
};

let lastSeen = null;
const found = isThere => {
  if (isThere) lastSeen = Date.now() / 1000;
  at("lost").hidden = isThere;
  document.body.classList.toggle("stale", !isThere);
  const text = `The run does not answer: it has ended or was stopped. ${lastSeen ? `Last heard of at ${momentToTheSecond(lastSeen)}. ` : ""}This page goes on by itself when it is back.`;
  if (!isThere && at("lost").textContent !== text) at("lost").textContent = text;
};

const refreshStatus = async () => {
  const { campaigns: [campaign], reviews } = await get("api/status");
  [drawProgress, drawState, drawTiles, drawKeys, drawAsked, drawErrors, drawModels, drawCanaries, drawReplies, drawSpending, drawDead].forEach(draw => draw(campaign, reviews));
};
const refreshNewest = async () => drawNewest((await get("api/newest")).items);
const refreshHistory = async () => drawChart(at("chart"), await get("api/history"));

// Each asks again only after its answer came, and not while nobody looks.
const keep = (refresh, everyMs) => {
  let timer = null;
  const turn = async () => {
    clearTimeout(timer);
    if (!document.hidden) {
      try { await refresh(); found(true); } catch { found(false); }
    }
    clearTimeout(timer);
    timer = setTimeout(turn, everyMs);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
  turn();
};
keep(refreshStatus, STATUS_EVERY_MS);
keep(refreshNewest, NEWEST_EVERY_MS);
keep(refreshHistory, HISTORY_EVERY_MS);
