"use strict";
(() => {
  const { record, epochs } = page.data;
  const pairs = new Set(record.improvement.map(({ a, b }) => JSON.stringify([a, b])));
  const reversed = record.improvement.filter(({ a, b }) => !pairs.has(JSON.stringify([b, a]))).map(({ a, b, probability, interval }) => (
    { a: b, b: a, probability: 1 - probability, interval: interval && [1 - interval[1], 1 - interval[0]] }));
  const rows = {
    runs: record.runs.map(({ scheme, seed, score, failed }) => ({ scheme, seed, score, failed })),
    ranking: record.ranking,
    curves: Object.entries(record.curves).flatMap(([scheme, bands]) =>
      Object.entries(bands).map(([metric, band]) => ({ scheme, metric, ...band }))),
    survival: Object.entries(record.time_to_target?.curves ?? {}).map(([scheme, curve]) => ({ scheme, ...curve })),
    improvement: [...record.improvement, ...reversed],
  };

  // The legend picks schemes in every panel at once.
  const switches = { picked: [], close: true };
  const chips = [...document.querySelectorAll("[data-scheme]")], clear = document.getElementById("clear");
  const pick = (names) => {
    switches.picked = names;
    for (const chip of chips) chip.setAttribute("aria-pressed", names.includes(chip.dataset.scheme));
    if (clear) clear.hidden = !names.length;
    page.set(switches);
  };
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      const name = chip.dataset.scheme;
      pick(switches.picked.includes(name) ? switches.picked.filter((other) => other !== name) : [...switches.picked, name]);
    });
  }
  clear?.addEventListener("click", () => pick([]));
  document.getElementById("close-up")?.addEventListener("change", (event) => {
    switches.close = event.target.checked;
    page.set(switches);
  });

  const metrics = [...new Set(record.runs.flatMap((run) => Object.keys(run.curves)))];
  const files = {
    "runs.csv": ["text/csv", () => page.csv(["scheme", "seed", "score", "failed", "seconds"],
      record.runs.map((run) => [run.scheme, run.seed, run.score, run.failed, run.seconds]))],
    "curves.csv": ["text/csv", () => page.csv(["scheme", "seed", "epoch", ...metrics], record.runs.flatMap((run) =>
      epochs.map((epoch, place) => [run.scheme, run.seed, epoch, ...metrics.map((metric) => run.curves[metric]?.[place])])))],
    "comparison.json": ["application/json", () => JSON.stringify(record)],
  };
  for (const button of document.querySelectorAll("[data-file]")) {
    const [type, make] = files[button.dataset.file];
    button.addEventListener("click", () => page.download(button.dataset.file, type, make()));
  }
  page.charts(rows, switches);
})();
