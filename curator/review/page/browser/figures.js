// What people found out: how many pairs are right, by what they are about, and how far people agree.

import { at, counted, get, number, show, words } from "./elements.js";

const percent = value => `${(100 * value).toFixed(1)} %`;
const figure = value => value === null ? "not defined" : (Math.round(100 * value) / 100 || 0).toFixed(2);
const interval = share => share.share === null ? "not known" : `${percent(share.ci95[0])} to ${percent(share.ci95[1])}`;

const drawTable = (parent, title, heads, rows) => {
  if (!rows.length) return;
  show(parent, "h2", title);
  const scroll = show(parent, "div", undefined, "scroll");
  scroll.tabIndex = 0;
  const table = show(scroll, "table"), head = show(show(table, "thead"), "tr"), body = show(table, "tbody");
  for (const text of heads) show(head, "th", text).scope = "col";
  for (const cells of rows) {
    const row = show(body, "tr");
    cells.forEach((cell, place) => {
      const made = show(row, place ? "td" : "th", typeof cell === "string" ? cell : undefined);
      if (!place) made.scope = "row";
      if (typeof cell !== "string") made.append(cell);
    });
  }
};

// The interval as a bar between 0 and 100 %, the share as a line in it; drawn for the eye alone.
const drawRange = share => {
  const space = "http://www.w3.org/2000/svg";
  const shape = (name, values) => {
    const element = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
    return element;
  };
  const svg = shape("svg", { viewBox: "0 0 200 14", class: "range", "aria-hidden": "true" });
  svg.append(shape("rect", { x: 0, y: 5, width: 200, height: 4, class: "all" }));
  if (share.share !== null) {
    svg.append(shape("rect", { x: 200 * share.ci95[0], y: 3, width: Math.max(1, 200 * (share.ci95[1] - share.ci95[0])), height: 8, class: "likely" }));
    svg.append(shape("rect", { x: 200 * share.share - 1, y: 0, width: 2, height: 14, class: "share" }));
  }
  return svg;
};

const drawAgreement = (parent, { people, second_opinion, listing }) => {
  const rows = people.two_by_two.map(two => [two.reviewers.join(" and "), number(two.pairs), number(two.same), `Cohen's kappa ${figure(two.cohens_kappa)}`]);
  if (people.judged_by_several) rows.push(["all of them", number(people.judged_by_several), number(people.unanimous), `Krippendorff's alpha ${figure(people.krippendorffs_alpha)}`]);
  for (const [name, told] of [["people and second opinion", second_opinion], ["people and listing", listing]]) {
    if (told.pairs) rows.push([name, number(told.pairs), number(told.both_right + told.both_wrong), `Cohen's kappa ${figure(told.cohens_kappa)}`]);
  }
  drawTable(parent, "Who agrees", ["who", "pairs", "say the same", "beyond chance"], rows);
};

export class Figures {
  constructor(filters) { this.filters = filters; }

  async begin() {
    let told;
    if (!at("figures").children.length) show(at("figures"), "p", "Counting ...", "soft");
    try { told = await get("api/reviews"); } catch { return; }
    const parent = at("figures");
    parent.replaceChildren();
    const report = told.reviews.find(each => String(each.campaign) === this.filters.values.campaign) ?? told.reviews[0];
    if (!report || !report.judged) {
      show(parent, "p", "Nobody has judged a pair of this campaign yet.", "over");
      return;
    }
    const { sample } = report;
    const head = show(parent, "div", undefined, "finding");
    show(head, "b", sample.judged ? percent(sample.right.share) : "–");
    show(head, "span", sample.judged
      ? `of the answers are right: ${interval(sample.right)} with 95 % confidence, by ${counted(sample.judged, "pair")} at random about ${counted(sample.right.images, "image")}${sample.skipped ? `, without ${number(sample.skipped)} of these that were only skipped` : ""}`
      : "How many answers are right cannot be said: no pair was judged in the random order.");
    const outcomes = Object.entries(report.outcomes).filter(([, count]) => count).map(([name, count]) => `${number(count)} ${name}`);
    show(parent, "p", `${counted(report.judged, "pair")} judged: ${outcomes.join(", ")}.`, "soft");
    const groups = Object.entries(sample.right_by).flatMap(([by, shares]) => Object.entries(shares)
      .map(([value, share]) => [value, words(by), number(share.pairs), percent(share.share), interval(share), drawRange(share)]));
    if (sample.judged) drawTable(parent, "Right answers", ["", "by", "judged", "right", "95 % interval", ""], groups);
    drawAgreement(parent, report.agreement);
    drawTable(parent, "Why pairs were rejected", ["reason", "times"], Object.entries(report.reasons).map(([reason, count]) => [words(reason), number(count)]));
    drawTable(parent, "Reviewers", ["who", "said"], Object.entries(report.reviewers)
      .map(([name, said]) => [name, Object.entries(said).map(([what, count]) => `${number(count)} ${what}`).join(", ")]));
  }
}
