"use strict";
// Filters the questions by outcome, type and every word of the search, and says how many fit.
// Shows a part of them at a time; fetches the rest, on demand, from scripts beside the page.
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const byId = (id) => document.getElementById(id);
  const [list, shown, nothing, more, rest] = ["cards", "shown", "nothing", "more", "rest"].map(byId);
  const step = 200;
  let limit = step;
  const items = Array.from(list.children, (element) => ({
    element,
    outcome: element.dataset.outcome,
    type: element.dataset.type,
    text: element.textContent.toLowerCase(),
  }));

  // Only what is looked at becomes a part of the page: ten thousand cards would make it slow.
  const place = (item) => {
    if (item.element) return;
    const template = document.createElement("template");
    template.innerHTML = item.html;
    item.element = template.content.firstElementChild;
    delete item.html;
    list.append(item.element);
  };

  const apply = () => {
    const outcome = form.elements.outcome.value;
    const type = form.elements.type.value;
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const item of items) {
      const fits =
        (!outcome || item.outcome === outcome) &&
        (!type || item.type === type) &&
        words.every((word) => item.text.includes(word));
      count += fits ? 1 : 0;
      if (fits && count <= limit) place(item);
      if (item.element) item.element.hidden = !fits || count > limit;
    }
    const number = count.toLocaleString("en");
    shown.textContent = count === 1 ? "1 question" : `${number} questions`;
    if (count > limit) shown.textContent += `, ${limit} shown`;
    nothing.hidden = count > 0;
    more.hidden = count <= limit;
  };

  const restart = () => {
    limit = step;
    apply();
  };

  window.abovqaCards = (cards) => items.push(...cards);

  const load = (source) =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = resolve;
      script.onerror = () => reject(new Error(source));
      document.head.append(script);
    });

  const loadRest = async () => {
    const scripts = rest.dataset.scripts.split(" ");
    const note = byId("loading");
    byId("load").disabled = true;
    try {
      while (scripts.length) {
        note.textContent = `loading, ${scripts.length} files to go`;
        await load(scripts[0]);
        rest.dataset.scripts = scripts.slice(1).join(" ");
        scripts.shift();
      }
      rest.hidden = true;
      form.elements.text.focus();
    } catch (error) {
      note.textContent = `${error.message} is not beside this page; keep file and folder together.`;
      byId("load").disabled = false;
    }
    restart();
  };

  form.addEventListener("input", restart);
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => {
    form.reset();
    restart();
    form.elements.text.focus();
  });
  byId("further").addEventListener("click", () => {
    const before = list.querySelectorAll(".card:not([hidden])").length;
    limit += step;
    apply();
    // The reader goes on where the page went on.
    const next = list.querySelectorAll(".card:not([hidden])")[before];
    if (next) {
      next.tabIndex = -1;
      next.focus();
    }
  });
  if (rest) byId("load").addEventListener("click", loadRest);
  apply();
})();
