// Texts, numbers with units, and times on the clock of the site.
const texts = JSON.parse(document.getElementById("texts").textContent);
const language = document.documentElement.lang;
const THIN = "\u202f";

export function text(key, filled = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => filled[name]);
}

function marked(number, options) {
  const shown = new Intl.NumberFormat("en", { roundingMode: "halfEven", ...options }).format(number); // as the tables round
  return language === "en" ? shown : shown.replaceAll(",", THIN).replace(".", ",");
}

let unit = "kW";

// All loads that stand beside each other are told in one unit.
export function useUnitOf(loads) {
  unit = Math.max(0, ...loads) >= 100000 ? "MW" : "kW";
}

export function unitShown() {
  return unit;
}

export function scaled(loads) {
  return unit === "MW" ? loads.map((load) => (load === null ? null : load / 1000)) : loads;
}

// Three digits that count at least, six at most, as the tables have them.
export function kw(load) {
  if (load === null || load === undefined) return "–";
  const [value] = scaled([load]);
  const before = value === 0 ? 1 : Math.floor(Math.log10(Math.abs(value))) + 1;
  const decimals = Math.max(0, 3 - before);
  return marked(value, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }) + THIN + unit;
}

// A difference of loads, with its sign.
export function change(load) {
  return (load > 0 ? "+" : "") + kw(load);
}

// A share that is more or less, with its sign.
export function percent(ratio) {
  return `${marked(100 * ratio, { minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "exceptZero" })}${THIN}%`;
}

// A clock tells times of one zone.
export class Clock {
  constructor(timeZone) {
    const parts = { timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
    this.format = new Intl.DateTimeFormat("en", parts);
  }

  // The fields of the clock, and how many milliseconds it is before UTC.
  of(ms) {
    const found = Object.fromEntries(this.format.formatToParts(ms).map((part) => [part.type, Number(part.value)]));
    const local = Date.UTC(found.year, found.month - 1, found.day, found.hour, found.minute, found.second);
    return { ...found, weekday: (new Date(local).getUTCDay() + 6) % 7, aheadMs: local - Math.floor(ms / 1000) * 1000 };
  }

  day(ms) {
    const at = this.of(ms);
    return `${text("weekdays").split(" ")[at.weekday]} ${at.day} ${text("months").split(" ")[at.month - 1]}`;
  }

  hour(ms) {
    const at = this.of(ms);
    return `${String(at.hour).padStart(2, "0")}:${String(at.minute).padStart(2, "0")}`;
  }

  time(ms) {
    return `${this.day(ms)} ${this.hour(ms)}`;
  }

  offset(ms) {
    const minutes = Math.round(this.of(ms).aheadMs / 60000);
    const size = Math.abs(minutes);
    return `UTC${minutes < 0 ? "-" : "+"}${String(Math.floor(size / 60)).padStart(2, "0")}:${String(size % 60).padStart(2, "0")}`;
  }

  // The time that a form field tells, such as "2017-10-19 18:40"; NaN where it is none.
  parse(local) {
    const asUtc = Date.parse(`${local.replace(" ", "T")}Z`);
    if (Number.isNaN(asUtc)) return NaN;
    const first = asUtc - this.of(asUtc).aheadMs;
    return asUtc - this.of(first).aheadMs;
  }
}
