// Draws loads over time with Plotly; times are milliseconds since 1970, told on the clock of the site.
import { kw, scaled, text, unitShown } from "./words.js";

const HOUR = 3600000;
const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };

const TWO_COLUMNS = { font: { size: 10 }, entrywidth: 0.48, entrywidthmode: "fraction" };
const ALIKE = ["dot", "dashdot", "longdash"]; // the nearest day first

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function ms(times) {
  return times.map((time) => Date.parse(time));
}

function faint(alpha) {
  return `rgba(${colour("band").replaceAll(" ", ",")},${alpha})`;
}

function line(name, times, loads, style, more = {}) {
  return { type: "scatter", mode: "lines", name, x: times, y: loads, line: style, hoverinfo: "none", connectgaps: false, ...more };
}

// Full hours of the clock with names, a few over the width.
function ticks(clock, begin, end, width) {
  const isNarrow = width < 600;
  const every = isNarrow ? 12 : 6;
  const day = (at) => (isNarrow ? clock.day(at).split(" ").slice(0, 2).join(" ") : clock.day(at));
  const values = [];
  for (let at = Math.ceil(begin / HOUR) * HOUR; at <= end; at += HOUR) {
    if (clock.of(at).hour % every === 0 && clock.of(at).minute === 0) values.push(at);
  }
  return { tickfont: { size: isNarrow ? 10 : 13 }, tickangle: 0, tickmode: "array", tickvals: values, ticktext: values.map((at) => (clock.of(at).hour === 0 ? `<b>${day(at)}</b>` : clock.hour(at))) };
}

function layout(place, clock, begin, end, more = {}) {
  const grid = { gridcolor: colour("rule"), zeroline: false, fixedrange: true, ticklabeloverflow: "allow", color: colour("text") };
  return {
    margin: { l: 64, r: 30, t: 8, b: 60 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, DejaVu Sans, sans-serif", size: 13, color: colour("text") },
    separators: document.documentElement.lang === "en" ? ".," : ",\u202f",
    xaxis: { ...grid, range: [begin, end], ...ticks(clock, begin, end, place.clientWidth), title: { text: [...new Set([clock.offset(begin), clock.offset(end)])].join(" → "), font: { size: 12 } } },
    yaxis: { ...grid, title: { text: unitShown() }, tickformat: "," },
    legend: { orientation: "h", y: 1.08, yanchor: "bottom", x: 0, ...(place.clientWidth < 600 ? TWO_COLUMNS : { font: { size: 13 } }) },
    hovermode: "x",
    dragmode: false,
    showlegend: true,
    ...more,
  };
}

function bands(view, times) {
  return view.bands.toReversed().flatMap((band, n) => {
    const none = { width: 0 };
    const name = text("chart.band", { coverage: Math.round(100 * band.coverage) });
    return [
      line(name, times, scaled(band.low_kw), none, { showlegend: false }),
      line(name, times, scaled(band.high_kw), none, { fill: "tonexty", fillcolor: faint(0.18 + 0.12 * n) }),
    ];
  });
}

const SEVERITY = { critical: ["x", "critical"], warning: ["triangle-up", "warning"], info: ["circle", "info"] };

function events(view, begin, end, floor) {
  const shown = view.events.filter((event) => Date.parse(event.started) >= begin && Date.parse(event.started) <= end);
  if (!shown.length) return [];
  return [{
    type: "scatter", mode: "markers", name: text("chart.events"), x: ms(shown.map((event) => event.started)), y: shown.map(() => floor), hoverinfo: "text",
    hovertext: shown.map((event) => event.text || event.feature), cliponaxis: false,
    marker: { size: 12, symbol: shown.map((event) => SEVERITY[event.severity][0]), color: shown.map((event) => colour(SEVERITY[event.severity][1])) },
  }];
}

// The upright line of the chart: the present; where that is not on it, or the past is shown, the newest reading.
function border(view, newest, end) {
  const isLive = !view.is_past && !view.is_replay;
  const present = newest + 1000 * view.age_s;
  return isLive && present <= end ? { x: present, said: "chart.now" } : { x: newest, said: "chart.newest" };
}

// The highest and the lowest of the forecast, each with a label that stays between the present and the end of the chart.
function extremes(view, newest, clock, isNarrow) {
  const points = [[view.peak, "top", view.is_peak_at_edge], [view.trough, "bottom", view.is_trough_at_edge]].filter(([point]) => point);
  const [early, late] = isNarrow ? [8, 16] : [4, 18];
  const labels = points.map(([point, side, isAtEdge]) => {
    const hours = (Date.parse(point.time) - newest) / HOUR;
    const edge = isAtEdge && !isNarrow ? ` (${text("chart.beyond")})` : "";
    return {
      x: Date.parse(point.time), y: scaled([point.kw])[0], text: `${kw(point.kw)} ${clock.hour(Date.parse(point.time))}${edge}`, showarrow: false,
      xanchor: hours < early ? "left" : hours > late ? "right" : "center", yanchor: side === "top" ? "bottom" : "top", yshift: side === "top" ? 10 : -10,
      bgcolor: colour("card"), borderpad: 1, font: { size: isNarrow ? 11 : 13 },
    };
  });
  const marker = { size: 9, symbol: points.map(([, , isAtEdge]) => (isAtEdge ? "diamond-open" : "diamond")), color: colour("forecast") };
  const x = ms(points.map(([point]) => point.time));
  const trace = { type: "scatter", mode: "markers", showlegend: false, hoverinfo: "none", x, y: scaled(points.map(([point]) => point.kw)), cliponaxis: false, marker };
  return { trace, labels };
}

// What the page lists below the chart: a stretch is shaded, a moment is a line; where there is room, with its name.
function markings(view, newest, isNarrow) {
  const shapes = view.marks.map((mark) => {
    const [x0, x1] = [Date.parse(mark.begin), mark.end === null ? newest : Date.parse(mark.end)];
    const common = { x0, x1, yref: "paper", y0: 0, y1: 1, layer: "below" };
    if (x1 > x0) return { ...common, type: "rect", fillcolor: colour("rule"), opacity: 0.5, line: { width: 0 } };
    return { ...common, type: "line", line: { color: colour("warning"), width: 1.5, dash: "dot" } };
  });
  const annotations = view.marks.map((mark) => ({
    x: Date.parse(mark.begin), yref: "paper", y: 0, yanchor: "bottom", xanchor: "right", showarrow: false, textangle: -90,
    text: text(`mark.short.${mark.kind}`), font: { size: 11, color: colour("faint") },
  }));
  return { shapes, annotations: isNarrow ? [] : annotations };
}

// The date of a similar day, as other days are told.
export function dayOf(similar, clock) {
  return clock.day(clock.parse(`${similar.date} 12:00`));
}

export function drawDay(place, view, clock, similar) {
  const newest = Date.parse(view.as_of);
  const [begin, end] = [newest - 48 * HOUR, newest + 24 * HOUR];
  const ahead = ms(view.forecast.times);
  const alike = similar.map((day, n) =>
    line(`${text("chart.similar")} ${dayOf(day, clock)}`, ms(day.load.times), scaled(day.load.kw), { color: colour("similar"), width: 1.6, dash: ALIKE[n] }));
  const isNarrow = place.clientWidth < 600;
  const all = [...view.load.kw, ...view.forecast.kw, ...view.bands.flatMap((band) => [...band.low_kw, ...band.high_kw]), ...similar.flatMap((day) => day.load.kw.filter((_, n) => Date.parse(day.load.times[n]) >= begin && Date.parse(day.load.times[n]) <= end))].filter((load) => load !== null);
  const [least, most] = scaled([Math.min(...all), Math.max(...all)]);
  const room = (most - least || Math.abs(most) || 1) * 0.09;
  const extreme = extremes(view, newest, clock, isNarrow);
  const traces = [
    ...bands(view, ahead),
    ...alike,
    line(text("chart.earlier"), ms(view.earlier.times), scaled(view.earlier.kw), { color: colour("earlier"), width: 1.8, dash: "dot" }),
    line(text("chart.forecast"), ahead, scaled(view.forecast.kw), { color: colour("forecast"), width: 2.6, dash: "dash" }),
    line(text("chart.load"), ms(view.load.times), scaled(view.load.kw), { color: colour("load"), width: 2.2 }),
    extreme.trace,
    ...events(view, begin, end, least - room * 0.7),
  ].filter((trace) => trace.x.length);
  const { x, said } = border(view, newest, end);
  const upright = { type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: colour("faint"), width: 1.5, dash: "dash" } };
  const label = { x, yref: "paper", y: 1, yanchor: "bottom", xanchor: "center", showarrow: false, text: text(said), font: { color: colour("faint") } };
  const more = markings(view, newest, isNarrow);
  const own = layout(place, clock, begin, end, { shapes: [upright, ...more.shapes], annotations: [label, ...more.annotations, ...extreme.labels] });
  own.yaxis.range = [least - room, most + room];
  return Plotly.react(place, traces, own, CONFIG);
}

// What a forecast of one time was, by when it was made.
export function drawHour(place, found, clock) {
  const made = ms(found.forecasts.map((each) => each.origin));
  const loads = found.forecasts.map((each) => each.median_kw);
  const widest = found.forecasts.map((each) => each.intervals.at(-1));
  const traces = [];
  if (widest[0]) {
    const name = text("chart.band", { coverage: Math.round(100 * widest[0].coverage) });
    traces.push(line(name, made, scaled(widest.map((each) => each.low_kw)), { width: 0 }, { showlegend: false }));
    traces.push(line(name, made, scaled(widest.map((each) => each.high_kw)), { width: 0 }, { fill: "tonexty", fillcolor: faint(0.2) }));
  }
  traces.push(line(text("chart.forecast"), made, scaled(loads), { color: colour("forecast"), width: 2.4, dash: "dash" }));
  if (found.demand_kw !== null) {
    const [came] = scaled([found.demand_kw]);
    traces.push(line(text("hour.came"), [made[0], made.at(-1)], [came, came], { color: colour("load"), width: 2 }));
  }
  return Plotly.react(place, traces, layout(place, clock, made[0], made.at(-1)), CONFIG);
}

export function drawTwo(place, times, curves, clock) {
  const styles = [{ color: colour("load"), width: 2 }, { color: colour("earlier"), width: 2.2, dash: "dash" }];
  const traces = curves.map((curve, n) => line(curve.name, times, scaled(curve.kw), styles[n]));
  return Plotly.react(place, traces, layout(place, clock, times[0], times.at(-1)), CONFIG);
}
