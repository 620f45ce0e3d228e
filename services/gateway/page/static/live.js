// Keeps a page as the gateway would make it now: it is asked for again, and the parts that have changed are exchanged.
import { text } from "./words.js";

const POLL_MS = 15000; // what grows old without a message, such as a silent meter, is seen by this
const ANSWER_MS = 10000;
const NOTICE_MS = 60000;
const PACE_MS = 500; // from one look to the next, however many events come
const AGAIN_MS = 50; // an event may be here before the history has it
const RELOAD_MS = 60000; // from one reload to the next: replicas of two versions may answer in turn
const SEVERITIES = { lost: "critical", undrawn: "critical", unstreamed: "info", restarted: "info" }; // the worst first

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
  // a link may have moved to another row
  if (href && focused.getAttribute("href") !== href) document.querySelector(`main a[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
}

export class Live {
  // `took` is given each new page, and returns whether it wants another at once.
  constructor(took) {
    this.took = took;
    this.asking = false;
    this.again = false;
    this.timer = null;
    this.pacedMs = 0;
    this.begun = null;
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
    const there = await this.fetched();
    const isWanted = there !== null && (await this.guarded(() => this.renew(there)));
    this.asking = false;
    if (isWanted) this.timer = setTimeout(() => this.ask(), AGAIN_MS);
    else if (this.again) this.look();
  }

  async renew(there) {
    exchange(there);
    return this.took(there);
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

  // The page as the gateway makes it now; null where it does not answer, or the whole page is loaded again.
  async fetched() {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(ANSWER_MS), headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const there = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.found(answer.headers.get("X-Tetouan-Begun"));
      if (there.documentElement.dataset.version === document.documentElement.dataset.version && !this.isOther(there)) return there;
      this.reload();
    } catch {
      this.lost();
    }
    return null;
  }

  // A page without readings has become one with some, or the other way round.
  isOther(there) {
    return Boolean(there.getElementById("view")) !== Boolean(document.getElementById("view"));
  }

  reload() {
    const reloadedMs = Number(sessionStorage.getItem("reloadedMs"));
    if (Date.now() - reloadedMs < RELOAD_MS) return;
    sessionStorage.setItem("reloadedMs", Date.now());
    location.reload();
  }

  lost() {
    this.note("lost", this.notices.lost ?? text("lost", { since: clockNow() }));
  }

  // Another gateway than before answers also where several stand behind one address: that is no restart.
  found(begun) {
    const wasLost = Boolean(this.notices.lost);
    this.note("lost", null);
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
