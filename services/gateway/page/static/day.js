// The page of a zone: draws the document that it holds, and follows the live stream.
import { dayOf, drawDay } from "./chart.js";
import { control } from "./control.js";
import { explore } from "./explore.js";
import { Live } from "./live.js";
import { Clock, kw, text, useUnitOf } from "./words.js";

const GIVE_UP_MS = 10000;
const RECONNECT_MS = 3000; // doubled with each failure
const MOST_DOUBLED = 4;
const ANSWER_MS = 10000;
const FORECAST_MS = 500;

const place = document.getElementById("chart");
const readout = document.getElementById("readout");
let view = JSON.parse(document.getElementById("view").textContent);
let similar = [];
let cursor = null;
let isHeard = false;
const clock = new Clock(view.time_zone);
const base = `/api/v1/sites/${encodeURIComponent(view.site)}/zones/${view.zone}`;

async function draw() {
  useUnitOf([...view.load.kw, ...view.forecast.kw]);
  await drawDay(place, view, clock, similar);
  if (!isHeard) hear();
  place.dataset.origin = view.origin ?? "";
}

// The chart takes handlers once it is drawn.
function hear() {
  isHeard = true;
  place.on("plotly_hover", (event) => event.points.length && readAt(Math.round(event.points[0].x)));
  place.on("plotly_click", (event) => event.points.length && hourOf(Math.round(event.points[0].x)));
}

// --- reading the chart

function loadAt(curve, at) {
  const n = curve.times.findIndex((time) => Date.parse(time) === at);
  return n < 0 ? null : curve.kw[n];
}

function readAt(at) {
  cursor = at;
  const said = [`${clock.time(at)} ${clock.offset(at)}`];
  const load = loadAt(view.load, at);
  const n = view.forecast.times.findIndex((time) => Date.parse(time) === at);
  const earlier = loadAt(view.earlier, at);
  if (load !== null) said.push(`${text("chart.load")} ${kw(load)}`);
  if (n >= 0) {
    said.push(`${text("chart.forecast")} ${kw(view.forecast.kw[n])}`);
    for (const band of view.bands) said.push(`${text("chart.band", { coverage: Math.round(100 * band.coverage) })} ${kw(band.low_kw[n])} – ${kw(band.high_kw[n])}`);
  }
  if (earlier !== null) said.push(`${text("chart.earlier")} ${kw(earlier)}`);
  readout.textContent = said.join(" · ");
  Plotly.Fx.hover(place, [], []);
}

function stepBy(steps) {
  const now = Date.parse(view.as_of);
  const step = 60000 * view.step_minutes;
  const at = (cursor ?? now) + steps * step;
  readAt(Math.min(now + 24 * 3600000, Math.max(now - 48 * 3600000, at)));
}

const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -6, PageDown: 6 };

place.addEventListener("keydown", (event) => {
  if (event.key in KEYS) {
    stepBy(KEYS[event.key]);
    event.preventDefault();
  } else if (event.key === "Enter" && cursor !== null) {
    hourOf(cursor);
  }
});

// --- similar days

const similarBox = document.getElementById("similar");
const similarSaid = document.getElementById("similar-said");
let similarHour = null;

async function similarTo() {
  const at = view.is_past ? `?at=${encodeURIComponent(view.as_of)}` : "";
  const answer = await fetch(`${base}/similar${at}`, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (!answer.ok) throw new Error(String(answer.status));
  return (await answer.json()).days;
}

async function renewSimilar() {
  const hour = view.as_of.slice(0, 13);
  if (!similarBox.checked) {
    similar = [];
    similarHour = null;
    similarSaid.textContent = "";
  } else if (similarHour !== hour) {
    try {
      similar = await similarTo();
      similarHour = hour;
      similarSaid.textContent = similar.length ? `${similar.map((day) => dayOf(day, clock)).join(", ")}: ${text("similar.meaning")}` : text("similar.none");
    } catch {
      similar = [];
      similarHour = null;
      similarSaid.textContent = text("similar.failed");
    }
  }
}

// Whether all that is wanted is drawn.
async function drawWithSimilar() {
  await renewSimilar();
  await draw();
  return !similarBox.checked || similarHour !== null;
}

similarBox.addEventListener("change", async () => {
  if (!(await live.guarded(drawWithSimilar))) live.forget();
});

// --- live

let newest = null;
let wantedSince = null;

function isBehind() {
  if (newest === null) return false;
  const wanted = JSON.parse(newest);
  return wanted.zone === view.zone && wanted.origin > (view.origin ?? "");
}

// Whether a forecast of which the stream has told is still to come, and is waited for.
function isWaiting() {
  if (isBehind() && performance.now() - wantedSince < GIVE_UP_MS) return true;
  newest = null;
  return false;
}

const live = new Live((there) => {
  view = JSON.parse(there.getElementById("view").textContent);
  return drawWithSimilar();
}, isWaiting);

let failures = 0; // of the stream, since it was last open
let source = null;
let retry = null;

function leave() {
  clearTimeout(retry);
  source?.close();
}

function follow() {
  leave();
  source = new EventSource(`/api/v1/stream?topics=readings,forecasts,scores,drift&site=${encodeURIComponent(view.site)}`);
  let readingCame = null; // its forecast follows, unless the forecaster is away
  source.addEventListener("forecasts", (event) => {
    if (newest === null) wantedSince = performance.now();
    newest = event.data;
    clearTimeout(readingCame);
    readingCame = null;
    live.look();
  });
  for (const kind of ["scores", "drift"]) source.addEventListener(kind, () => live.look());
  source.addEventListener("readings", () => {
    readingCame ??= setTimeout(() => {
      readingCame = null;
      live.look();
    }, FORECAST_MS);
  });
  source.addEventListener("open", () => {
    failures = 0;
    live.note("unstreamed", null);
    live.look();
  });
  // Whether the gateway is lost, the page's own question tells: it may refuse the stream alone.
  source.addEventListener("error", () => {
    if (failures > 0) live.note("unstreamed", text("lost.stream"));
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(follow, RECONNECT_MS * 2 ** Math.min(failures, MOST_DOUBLED));
    failures += 1;
    live.look();
  });
}

const controlForm = document.getElementById("control-form");
if (controlForm) control(controlForm);
const hourOf = explore(base, clock, () => view);
live.guarded(draw);
if (!view.is_past) {
  follow();
  // a browser has six connections to a gateway for all its tabs: one that nobody sees takes none
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => live.guarded(draw));
document.documentElement.dataset.started = "";
