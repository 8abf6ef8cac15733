"use strict";
// Draws the charts of a page over its shared rows, and hands its data out. No text becomes code or markup.
const page = (() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { config, specs } = read("charts");
  const views = new Map();

  const draw = async (place, rows, switches) => {
    const spec = specs[place.dataset.chart], labels = Math.min(190, Math.round(place.clientWidth * 0.36));
    views.set(place, null);
    const { view } = await vegaEmbed(place, { ...spec, datasets: copies(spec, rows) }, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true,
      config: { ...config, axisY: { ...config.axisY, labelLimit: labels } },
      tooltip: { disableDefaultStyle: true },
    });
    views.set(place, view);
    set(switches);
  };

  // Vega marks the rows it is given, so every chart has its own.
  const copies = (spec, rows) => {
    const used = new Set(JSON.stringify(spec, (key, value) => (key === "data" && value.name ? `@${value.name}@` : value)).match(/@\w+@/g));
    return Object.fromEntries(Object.keys(rows).filter((key) => used.has(`@${key}@`)).map((key) => [key, rows[key].map((row) => ({ ...row }))]));
  };

  // Charts in a closed section have no width yet: they are drawn when it opens.
  const drawAll = (rows, switches) => Promise.all([...document.querySelectorAll("[data-chart]")]
    .filter((place) => place.clientWidth > 0 && !views.has(place)).map((place) => draw(place, rows, switches)));

  const set = (switches) => views.forEach((view) => {
    if (!view) return;
    for (const [name, value] of Object.entries(switches)) view.signal(name, value);
    view.runAsync();
  });

  const charts = async (rows, switches) => {
    await drawAll(rows, switches);
    document.querySelectorAll("details").forEach((part) => part.addEventListener("toggle", () => {
      drawAll(rows, switches);
      dispatchEvent(new Event("resize"));
    }));
    addEventListener("beforeprint", () => document.querySelectorAll("details.panel").forEach((part) => { part.open = true; }));
    document.documentElement.dataset.drawn = views.size;
  };

  const quote = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));
  const csv = (head, rows) => [head, ...rows].map((row) => row.map((value) => quote(value ?? "")).join(",")).join("\r\n") + "\r\n";
  const download = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  return { data: read("data"), charts, set, csv, download };
})();
