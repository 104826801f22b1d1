// Live pages and interactive charts. A page works without this file: it is then as it was read.
(() => {
  "use strict";

  const RETRY_MS = 5000;
  const LOOK_MS = 1000;
  const CHART_HEIGHT = 220;
  const plots = new Map();

  // Charts: the figure holds its points; the server's drawing stays where a chart cannot be made.
  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function axis(size) {
    return {
      size,
      stroke: color("--dim"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
      // Learning rates of 0.00003 are no 0.
      values: (_, marks) => marks.map((mark) => String(Number(mark.toPrecision(4)))),
    };
  }

  function draw() {
    if (typeof uPlot === "undefined") return;
    for (const figure of document.querySelectorAll("figure[data-points]")) {
      const points = JSON.parse(figure.dataset.points);
      const data = [points.x, ...points.series.map((each) => each.values)];
      const place = figure.querySelector(".plot");
      const known = plots.get(figure.id);
      figure.classList.add("drawn");
      if (known && known.root.parentElement === place && known.series.length === data.length) {
        known.setData(data);
        continue;
      }
      if (known) known.destroy();
      const series = points.series.map((each) => ({
        label: each.label,
        stroke: color(`--s${each.color}`),
        width: 2,
        spanGaps: true,
        points: { show: points.x.length < 40 },
      }));
      const options = {
        width: place.clientWidth || 500,
        height: CHART_HEIGHT,
        scales: { x: { time: false } },
        legend: { show: false },
        cursor: { drag: { x: true, y: false } },
        axes: [axis(28), axis(64)],
        series: [{ label: "step" }, ...series],
      };
      plots.set(figure.id, new uPlot(options, data, place));
    }
  }

  function redraw() {
    for (const plot of plots.values()) plot.destroy();
    plots.clear();
    draw();
  }

  // Changes: the stream says that there is something new, and the page reads itself again.
  function changed() {
    if (!document.hidden) htmx.trigger(document.body, "changed");
  }

  function follow(refresh) {
    const notice = document.getElementById("connection");
    let source = null;
    let heard = Date.now();

    function hear() {
      heard = Date.now();
      notice.hidden = true;
    }

    function open() {
      // What was awaited meanwhile may have opened one, and a hidden tab holds none.
      if (source) source.close();
      if (document.hidden) return;
      heard = Date.now();
      source = new EventSource(refresh.dataset.stream);
      source.addEventListener("open", hear);
      source.addEventListener("alive", hear);
      source.addEventListener("changed", () => { hear(); changed(); });
      source.addEventListener("error", () => {
        notice.hidden = false;
        // A browser tries again by itself after a lost connection, but not after a refusal.
        if (source.readyState === EventSource.CLOSED) setTimeout(again, RETRY_MS);
      });
    }

    // A connection whose other end is gone without a word, as after a change of network, stays open
    // for many minutes.
    function look() {
      if (document.hidden || source.readyState === EventSource.CLOSED) return;
      if (Date.now() - heard < 1000 * refresh.dataset.silence) return;
      notice.hidden = false;
      source.close();
      again();
    }

    async function again() {
      if (document.hidden) return;
      try {
        const answer = await fetch(location.href, {
          redirect: "manual",
          headers: { Accept: "text/html" },
          signal: AbortSignal.timeout(RETRY_MS),
        });
        if (answer.type === "opaqueredirect") return location.reload();
      } catch {
        // The gateway is away; the stream's own attempt says so again.
      }
      open();
    }

    // A hidden tab holds no stream: a key may have only so many open.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) source.close();
      else open();
    });
    open();
    setInterval(look, LOOK_MS);
    // What comes by no event, such as the points of a curve, while there may be any.
    const { poll, pollWhile } = refresh.dataset;
    if (Number(poll)) {
      setInterval(() => { if (document.querySelector(pollWhile)) changed(); }, 1000 * poll);
    }
  }

  // Keys: a button that names one is pressed by it, unless somebody is writing.
  function press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (event.target.closest("input, textarea, select")) return;
    const button = document.querySelector(`button[data-key="${CSS.escape(event.key)}"]`);
    if (!button) return;
    event.preventDefault();
    button.click();
  }

  document.addEventListener("DOMContentLoaded", () => {
    draw();
    document.addEventListener("keydown", press);
    const refresh = document.getElementById("refresh");
    if (refresh) follow(refresh);
    document.body.addEventListener("htmx:after:swap", draw);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    let resizing = 0;
    window.addEventListener("resize", () => {
      clearTimeout(resizing);
      resizing = setTimeout(redraw, 150);
    });
  });
})();
