// What is asked for by hand: how the forecast of an hour changed, and what the load would be in some weather.
import { drawHour, drawTwo } from "./chart.js";
import { change, kw, percent, text } from "./words.js";

const WEATHER = { Temperature: "temperature_c", Humidity: "humidity_pct", WindSpeed: "wind_speed_ms", GeneralDiffuseFlows: "general_diffuse_flows_wm2", DiffuseFlows: "diffuse_flows_wm2" };
const WARMER_C = 5;
const DAY_MS = 86400000;

async function answered(url, body) {
  const asked = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(url, asked);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.detail);
  return found;
}

// Returns how to show the hour of a time.
export function explore(base, clock, view) {
  const said = document.getElementById("hour-said");
  const chart = document.getElementById("hour-chart");
  const form = document.getElementById("hour-form");

  async function hourOf(at) {
    chart.hidden = true;
    try {
      const found = await answered(`${base}/targets/${new Date(at).toISOString()}`);
      const asOf = Date.parse(view().as_of);
      found.forecasts = found.forecasts.filter((each) => Date.parse(each.origin) <= asOf);
      if (at > asOf) found.demand_kw = null;
      said.textContent = found.forecasts.length ? `${clock.time(at)} ${clock.offset(at)}. ${text("hour.note")}` : text("hour.none");
      chart.hidden = !found.forecasts.length;
      if (found.forecasts.length) await drawHour(chart, found, clock);
    } catch (error) {
      said.textContent = error.message;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const at = clock.parse(form.elements.target.value);
    if (Number.isNaN(at)) said.textContent = text("time.wrong");
    else hourOf(at);
  });

  const ifForm = document.getElementById("if-form");
  if (ifForm) whatIf(ifForm, base, clock, view);
  return hourOf;
}

// What a second curve is more than the first: in the mean over the times, and where the first is highest.
function comparison([base, other], times, clock) {
  const [was, is] = [base, other].map((curve) => curve.kw.reduce((sum, load) => sum + load, 0) / times.length);
  const peak = base.kw.indexOf(Math.max(...base.kw));
  return text("if.mean", {
    begin: clock.time(times[0]), end: clock.time(times.at(-1)), was: kw(was), change: change(is - was), share: percent((is - was) / was),
    time: clock.time(times[peak]), peak: kw(base.kw[peak]), at_peak: change(other.kw[peak] - base.kw[peak]),
  });
}

function whatIf(form, base, clock, view) {
  const said = document.getElementById("if-said");
  const warned = document.getElementById("if-warned");
  const chart = document.getElementById("if-chart");
  const loadOf = (answer) => answer[`predicted_power_consumption_zone${view().zone}`];

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    chart.hidden = true;
    warned.textContent = "";
    const asked = Object.fromEntries(Object.keys(WEATHER).map((name) => [name, Number(form.elements[name].value)]));
    const at = clock.parse(form.elements.Timestamp.value);
    if (Number.isNaN(at)) {
      said.textContent = text("time.wrong");
      return;
    }
    asked.Timestamp = new Date(at).toISOString();
    try {
      const found = await answered(`${base}/predict`, asked);
      const band = found.low_kw === null ? "" : ` (${text("table.low")} ${kw(found.low_kw)}, ${text("table.high")} ${kw(found.high_kw)})`;
      said.textContent = `${kw(loadOf(found))}${band}`;
      warned.textContent = found.warnings.join(". ");
    } catch (error) {
      said.textContent = error.message;
    }
  });

  document.getElementById("warmer").addEventListener("click", async () => {
    try {
      const asOf = Date.parse(view().as_of);
      const site = base.slice(0, base.lastIndexOf("/zones/"));
      const span = `from=${new Date(asOf - DAY_MS).toISOString()}&until=${new Date(asOf + 1).toISOString()}`;
      const readings = (await answered(`${site}/readings?${span}`)).items;
      const known = readings.filter((each) => Object.values(WEATHER).every((field) => typeof each.values[field] === "number"));
      if (!known.length) throw new Error(text("similar.none"));
      const requests = known.map((each) => ({ Timestamp: each.time, ...Object.fromEntries(Object.entries(WEATHER).map(([name, field]) => [name, each.values[field]])) }));
      const warmer = requests.map((each) => ({ ...each, Temperature: Math.min(60, each.Temperature + WARMER_C) }));
      const [as, plus] = await Promise.all([requests, warmer].map((batch) => answered(`${base}/predict/batch`, batch)));
      const curves = [{ name: text("if.as_it_was"), kw: as.map(loadOf) }, { name: text("if.plus"), kw: plus.map(loadOf) }];
      said.textContent = comparison(curves, known.map((each) => Date.parse(each.time)), clock);
      // each of the times warns alike: the newest one stands for all
      warned.textContent = plus.at(-1).warnings.join(". ");
      chart.hidden = false;
      await drawTwo(chart, known.map((each) => Date.parse(each.time)), curves, clock);
    } catch (error) {
      said.textContent = error.message;
    }
  });
}
