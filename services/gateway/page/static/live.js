// Keeps a page as the gateway would make it now: it is asked for again, and the parts that have changed are exchanged.
import { text } from "./words.js";

const POLL_MS = 15000; // what grows old without a message, such as a silent meter, is seen by this
const ANSWER_MS = 10000;
const NOTICE_MS = 60000;
const PACE_MS = 1000; // from one look to the next, however many events come
// The page's own scripts work a fiftieth of the time at most, however slow the machine is: what the browser lays out and
// paints takes as long again, and half of it on other threads, so that the tab takes a twentieth of a core.
const SHARE = 50;
const LONGEST_MS = 5000; // an answer that is waited for is no work
const AGAIN_MS = 50; // an event may be here before the history has it
const SEVERITIES = { refused: "critical", lost: "critical", undrawn: "critical", unstreamed: "info", restarted: "info" }; // the worst first

function clockNow() {
  return new Date().toLocaleTimeString(document.documentElement.lang, { hour12: false });
}

// Makes a node like another one. What is alike stays the same node, and with it focus, selection and scroll position.
function liken(here, there) {
  if (here.isEqualNode(there)) return;
  if (here.nodeType !== Node.ELEMENT_NODE || here.nodeName !== there.nodeName) {
    here.replaceWith(document.adoptNode(there));
    return;
  }
  for (const { name } of [...here.attributes]) if (!there.hasAttribute(name)) here.removeAttribute(name);
  for (const { name, value } of there.attributes) here.setAttribute(name, value);
  const [old, renewed] = [[...here.childNodes], [...there.childNodes]];
  renewed.forEach((node, n) => (n < old.length ? liken(old[n], node) : here.append(node)));
  for (const node of old.slice(renewed.length)) node.remove();
}

function exchange(there) {
  const focused = document.activeElement;
  const href = focused?.getAttribute("href");
  for (const part of document.querySelectorAll("[data-live]")) {
    const renewed = there.getElementById(part.id);
    if (renewed) liken(part, renewed);
  }
  // fields that nobody has changed follow: the attribute of one that somebody has changed alters nothing
  for (const field of document.querySelectorAll("form[id] input[name][value]")) {
    const renewed = there.querySelector(`#${field.form.id} [name="${field.name}"]`);
    if (renewed && field !== focused) field.setAttribute("value", renewed.getAttribute("value"));
  }
  // a link may have moved to another row
  if (href && focused.getAttribute("href") !== href) document.querySelector(`main a[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
}

// A page as far as it is to be seen: an age in seconds is not.
function lasting(said) {
  return said.replace(/"age_s":(-?\d+)/, (_, age) => Math.floor(age / 60));
}

export class Live {
  // `took` is given each new page, and returns whether all of it could be shown; `wants` tells whether a newer one is due.
  constructor(took, wants = () => false) {
    this.took = took;
    this.wants = wants;
    this.asking = false;
    this.again = false;
    this.timer = null;
    this.pacedMs = 0;
    this.begun = null;
    this.shown = null;
    this.notices = {};
    setInterval(() => this.look(), POLL_MS);
    document.addEventListener("visibilitychange", () => this.look());
  }

  // Ask for the page as soon as it is time again.
  look() {
    if (this.asking) this.again = true;
    else this.timer ??= setTimeout(() => this.ask(), this.pacedMs - performance.now());
  }

  async ask() {
    this.timer = null;
    if (document.hidden) return;
    this.asking = true;
    this.again = false;
    this.pacedMs = performance.now() + PACE_MS;
    const said = await this.fetched();
    const isNew = said !== null && lasting(said) !== this.shown;
    if (isNew) await this.renew(said);
    this.asking = false;
    const isWanted = said !== null && this.wants();
    if (isWanted && !isNew) this.timer = setTimeout(() => this.ask(), AGAIN_MS);
    else if (isWanted || this.again) this.look();
  }

  // Show the next page as if it were another one.
  forget() {
    this.shown = null;
  }

  async renew(said) {
    const begunMs = performance.now();
    const there = new DOMParser().parseFromString(said, "text/html");
    if (this.isOther(there)) {
      document.dispatchEvent(new Event("outdated"));
      return;
    }
    const isShown = await this.guarded(() => {
      exchange(there);
      return this.took(there);
    });
    this.shown = isShown ? lasting(said) : null;
    const endedMs = performance.now();
    this.pacedMs = Math.max(this.pacedMs, endedMs + Math.min(LONGEST_MS, (SHARE - 1) * (endedMs - begunMs)));
  }

  // What some work returns; false where it fails, which is said, and ends nothing else.
  async guarded(work) {
    try {
      const found = await work();
      this.note("undrawn", null);
      return found;
    } catch (error) {
      console.error(error);
      this.note("undrawn", text("chart.undrawn"));
      return false;
    }
  }

  // The page as the gateway makes it now; null where it does not answer.
  async fetched() {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(ANSWER_MS), headers: { Accept: "text/html" } });
      if (answer.status === 401) {
        this.refused();
        return null;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const said = await answer.text();
      this.found(answer.headers.get("X-Tetouan-Begun"));
      return said;
    } catch {
      this.lost();
      return null;
    }
  }

  // A page of another version, or one without readings that has become one with some, or the other way round.
  isOther(there) {
    const [old, renewed] = [document, there].map((page) => [page.documentElement.dataset.version, Boolean(page.getElementById("view"))]);
    return String(old) !== String(renewed);
  }

  lost() {
    this.note("lost", this.notices.lost ?? text("lost", { since: clockNow() }));
  }

  refused() {
    this.note("lost", null);
    this.note("refused", this.notices.refused ?? text("refused", { since: clockNow() }));
  }

  // Another gateway than before answers also where several stand behind one address: that is no restart.
  found(begun) {
    const wasLost = Boolean(this.notices.lost);
    this.note("lost", null);
    this.note("refused", null);
    if (wasLost && this.begun !== null && begun !== this.begun) {
      this.note("restarted", text("restarted", { since: clockNow() }));
      setTimeout(() => this.note("restarted", null), NOTICE_MS);
    }
    this.begun = begun;
  }

  // Say something above the page, or with null no longer; of several things the worst is said.
  note(kind, said) {
    this.notices[kind] = said;
    const worst = Object.keys(SEVERITIES).find((each) => this.notices[each]);
    const place = document.getElementById("link");
    place.hidden = worst === undefined;
    if (worst === undefined) return;
    place.className = `line ${SEVERITIES[worst]}`;
    if (place.textContent !== this.notices[worst]) place.textContent = this.notices[worst];
  }
}
