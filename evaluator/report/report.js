"use strict";
// Shows the cards that fit the chosen outcome and every word of the search, and says how many.
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const cards = Array.from(document.querySelectorAll("#cards > .card"), (element) => ({
    element,
    outcome: element.dataset.outcome,
    text: element.textContent.toLowerCase(),
  }));

  const apply = () => {
    const outcome = form.elements.outcome.value;
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const card of cards) {
      const fits =
        (!outcome || card.outcome === outcome) && words.every((word) => card.text.includes(word));
      card.element.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.textContent = count === 1 ? "1 picture" : `${count} pictures`;
    nothing.hidden = count > 0;
  };

  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("reset").addEventListener("click", () => {
    form.reset();
    apply();
    form.elements.text.focus();
  });
  apply();
})();
