// The rate over time as bars, one for each span, in an SVG of its own making.

import { moment, momentToTheSecond } from "./moment.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDEST = 960, NARROWEST = 300, PADDING = 20, HEIGHT = 230, LEFT = 60, RIGHT = 8, TOP = 24, BOTTOM = 26;
const SERIES = ["answered", "limited", "failed"];
const LABEL = 120;

const element = (parent, tag, attributes, text) => {
  const made = parent.appendChild(document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

// 1, 2 or 5 times a power of ten, at least as large as the value.
const roundUp = value => {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].map(step => step * power).find(step => step >= value);
};

// Below the bars, where room is scarce: with the day for days, with seconds for minutes.
const clock = (at, span) => new Date(at * 1000).toLocaleString([], {
  ...(span > 86400 ? { month: "short", day: "numeric" } : {}),
  hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(span < 1800 ? { second: "2-digit" } : {}),
});

export const drawChart = (parent, history) => {
  const { bins, width_s: width } = history;
  // As wide as there is room, so that its letters are as large on a phone.
  const WIDTH = Math.max(NARROWEST, Math.min(WIDEST, parent.clientWidth - PADDING));
  const perMinute = count => count * 60 / width;
  const sum = bin => SERIES.reduce((total, name) => total + bin[name], 0);
  const top = roundUp(Math.max(1, ...bins.map(bin => perMinute(sum(bin)))));
  const x = number => LEFT + (WIDTH - LEFT - RIGHT) * number / Math.max(bins.length, 12);
  const y = value => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top;
  const best = Math.max(...bins.map(bin => perMinute(bin.answered)));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Images answered a minute since ${moment(bins[0].at)}: `
    + `at most ${best.toFixed(1)}, now ${perMinute(bins.at(-1).answered).toFixed(1)}`);
  for (const share of [0, .5, 1]) {
    element(svg, "line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(top * share), y2: y(top * share) });
    element(svg, "text", { class: "tick", x: LEFT - 8, y: y(top * share) + 4, "text-anchor": "end" },
      (top * share).toLocaleString());
  }
  element(svg, "text", { class: "tick", x: LEFT - 52, y: 12 }, "a minute");
  bins.forEach((bin, number) => {
    let height = 0;
    const group = element(svg, "g", {});
    for (const name of SERIES) {
      if (!bin[name]) continue;
      const from = y(height), to = y(height += perMinute(bin[name]));
      element(group, "rect", { class: name, x: x(number), y: to, height: Math.max(from - to, .5),
        width: Math.max(x(number + 1) - x(number) - .6, .6) });
    }
    element(group, "title", {}, `${width < 60 ? momentToTheSecond(bin.at) : moment(bin.at)}: `
      + SERIES.map(name => `${perMinute(bin[name]).toFixed(1)} ${name}`).join(", ") + " a minute");
  });
  const span = bins.length * width;
  const every = Math.max(1, Math.ceil(Math.max(bins.length, 12) / Math.min(5, Math.floor((WIDTH - LEFT) / LABEL))));
  for (let number = 0; number < bins.length; number += every) {
    element(svg, "text", { class: "tick", x: x(number), y: HEIGHT - 8 }, clock(bins[number].at, span));
  }
  parent.replaceChildren(svg);
};
