// Filters results, and draws the charts of those that are left.
"use strict";
(() => {
  const ERRORS = 1; // vega.Error
  const AHEAD = 600; // px below the window in which charts are drawn already
  const content = JSON.parse(document.getElementById("content").textContent);
  const form = document.getElementById("filters");
  const figures = [...document.querySelectorAll("[data-figure]")].map((element) => ({
    element,
    ...content.figures[Number(element.dataset.figure)],
    near: false, // close enough to the window to be drawn
    drawing: null, // what Vega made of it
    work: Promise.resolve(), // a figure does one thing at a time
  }));
  let shown = new Set(content.results.keys());

  // Each row of a result also has what is the same for all rows of it: model, name, validity, ..
  for (const figure of figures)
    for (const [name, rows] of Object.entries(figure.rows))
      figure.rows[name] = rows.map((row) =>
        "result" in row ? { ...content.results[row.result], ...row } : row);

  const of = (row) => ("result" in row ? [row.result] : (row.results ?? null));

  /** Return the results that a figure draws: those shown, and of too many only the newest. */
  function drawn(figure) {
    const own = [...new Set(Object.values(figure.rows).flat().flatMap((row) => of(row) ?? []))]
      .filter((result) => shown.has(result));
    if (!figure.most || own.length <= figure.most) return { kept: new Set(own), left: 0 };
    const age = (result) => content.results[result].recorded;
    own.sort((one, other) => (age(one) < age(other) ? 1 : age(one) > age(other) ? -1 : one - other));
    return { kept: new Set(own.slice(0, figure.most)), left: own.length - figure.most };
  }

  function rowsOf(figure) {
    const { kept, left } = drawn(figure);
    const cut = figure.element.querySelector(".cut");
    cut.hidden = !left;
    cut.textContent = left
      ? `The newest ${kept.size} of ${kept.size + left} results are drawn; filters choose others.` : "";
    figure.element.hidden = !kept.size;
    return Object.entries(figure.rows).map(([name, rows]) =>
      [name, rows.filter((row) => of(row)?.some((result) => kept.has(result)) ?? true)]);
  }

  /** Return the colours, then darker and lighter ones, so that no two of 48 models share one. */
  function palette(colours, ink, paper) {
    const mixed = (one, other) => "#" + [1, 3, 5].map((at) => {
      const [a, b] = [one, other].map((text) => parseInt(text.slice(at, at + 2), 16));
      return Math.round(0.55 * a + 0.45 * b).toString(16).padStart(2, "0");
    }).join("");
    return [...colours, ...[ink, paper].flatMap((other) => colours.map((one) => mixed(one, other)))];
  }

  /** Return Vega's configuration in the colours of the style sheet. */
  function theme() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const font = getComputedStyle(document.body).fontFamily;
    const text = { labelColor: colour("quiet"), titleColor: colour("quiet"), titleFontWeight: 500 };
    return {
      background: "transparent", font, padding: 4,
      view: { stroke: null },
      axis: { ...text, gridColor: colour("line"), domainColor: colour("line"), tickColor: colour("line"),
        labelFontSize: 11, titleFontSize: 12 },
      legend: { ...text, layout: { top: { anchor: "start", direction: "vertical" } }, labelFontSize: 12, symbolOpacity: 1, symbolStrokeColor: colour("quiet"),
        symbolBaseStrokeColor: colour("quiet") },
      range: { category: palette(colour("colours").split(/\s+/), colour("ink"), colour("paper")) },
      text: { color: colour("ink") },
      style: {
        name: { fontSize: 12.5, fontWeight: 600, color: colour("ink") },
        value: { fontSize: 12.5, color: colour("quiet") },
        ink: { color: colour("ink") },
        tail: { color: colour("tail") },
        budget: { color: colour("budget") },
        limit: { fontSize: 12, color: colour("budget") },
      },
    };
  }

  async function draw(figure) {
    const rows = rowsOf(figure);
    if (!figure.near || figure.element.hidden) return;
    if (figure.drawing) {
      for (const [name, kept] of rows) figure.drawing.view.data(name, kept);
      await figure.drawing.view.runAsync();
      return;
    }
    const chart = structuredClone(content.charts[figure.chart]);
    figure.drawing = await vegaEmbed(
      figure.element.querySelector(".chart"),
      { ...chart, datasets: Object.fromEntries(rows) },
      // the interpreter needs no eval, which the page's policy forbids; it warns of data that a
      // filter left empty
      { mode: "vega-lite", actions: false, renderer: "svg", ast: true, logLevel: ERRORS, config: theme() },
    );
  }

  /** Draw a figure once it is done with what it was asked before; anew: from nothing. */
  function redraw(figure, anew = false) {
    figure.element.setAttribute("aria-busy", "true");
    const work = figure.work.then(async () => {
      if (anew) {
        figure.drawing?.finalize();
        figure.drawing = null;
      }
      await draw(figure);
    }).catch((error) => {
      figure.element.querySelector(".chart").textContent = `This chart cannot be drawn: ${error.message}`;
      console.error(error);
    }).then(() => {
      if (figure.work === work) figure.element.setAttribute("aria-busy", "false");
    });
    figure.work = work;
  }

  function filter() {
    const wanted = content.facets.map((name) => [
      name, new Set(form ? [...form.querySelectorAll("input:checked")]
        .filter((input) => input.name === name).map((input) => input.value) : []),
    ]);
    shown = new Set([...content.results.keys()].filter((result) =>
      wanted.every(([name, values]) => !values.size || values.has(content.results[result][name]))));
    for (const element of document.querySelectorAll("[data-result]"))
      element.hidden = !shown.has(Number(element.dataset.result));
    for (const group of document.querySelectorAll(".group"))
      group.hidden = !group.querySelector("tbody tr:not([hidden])");
    for (const figure of figures) rowsOf(figure);
    for (const section of document.querySelectorAll("section")) {
      const parts = [...section.querySelectorAll("figure, .group")];
      section.querySelector(".filtered").hidden = !parts.length || parts.some((part) => !part.hidden);
    }
    for (const figure of figures) redraw(figure);
    if (!form) return;
    document.getElementById("shown").textContent =
      `${shown.size} of ${content.results.length} results are shown.`;
    form.querySelector("button").hidden = shown.size === content.results.length;
  }

  const nearness = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((entry) => entry.isIntersecting)) {
      const figure = figures.find((figure) => figure.element === entry.target);
      nearness.unobserve(entry.target);
      figure.near = true;
      redraw(figure);
    }
  }, { rootMargin: `${AHEAD}px` });

  // what is seen first waits for no observer, which a browser without a window may never call
  for (const figure of figures) {
    figure.near = figure.element.getBoundingClientRect().top < innerHeight + AHEAD;
    if (!figure.near) nearness.observe(figure.element);
  }
  filter();
  form?.addEventListener("change", filter);
  form?.addEventListener("reset", (event) => {
    event.preventDefault(); // the browser would clear the boxes after this
    for (const input of form.querySelectorAll("input")) input.checked = false;
    filter();
  });
  form?.addEventListener("submit", (event) => event.preventDefault());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const figure of figures) redraw(figure, true);
  });
  addEventListener("beforeprint", () => {
    for (const figure of figures) {
      figure.near = true;
      redraw(figure);
    }
  });
})();
