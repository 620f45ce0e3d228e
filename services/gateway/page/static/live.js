// Keeps a page as the gateway would make it now: it is asked for again, and the parts that have changed are exchanged.
import { text } from "./words.js";

const POLL_MS = 15000; // what grows old without a message, such as a silent meter, is seen by this
const ANSWER_MS = 10000;
const NOTICE_MS = 60000;
const PACE_MS = 500; // from one look to the next, however many events come
const AGAIN_MS = 50; // an event may be here before the history has it

function clockNow() {
  return new Date().toLocaleTimeString(document.documentElement.lang, { hour12: false });
}

function exchange(there) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const renewed = there.getElementById(part.id);
    if (renewed && renewed.outerHTML !== part.outerHTML) {
      const open = document.activeElement && part.contains(document.activeElement);
      if (!open) part.replaceWith(document.adoptNode(renewed));
    }
  }
}

export class Live {
  // `took` is given each new page, and returns whether it wants another at once.
  constructor(took) {
    this.took = took;
    this.asking = false;
    this.again = false;
    this.timer = null;
    this.pacedMs = 0;
    this.lostSince = null;
    this.begun = null;
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
    let isWanted = false;
    if (there !== null) {
      exchange(there);
      isWanted = await this.took(there);
    }
    this.asking = false;
    if (isWanted) this.timer = setTimeout(() => this.ask(), AGAIN_MS);
    else if (this.again) this.look();
  }

  // The page as the gateway makes it now; null where it does not answer, or the whole page is loaded again.
  async fetched() {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(ANSWER_MS), headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const there = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.found(answer.headers.get("X-Tetouan-Begun"));
      if (there.documentElement.dataset.version === document.documentElement.dataset.version && !this.isOther(there)) return there;
      location.reload();
    } catch {
      this.lost();
    }
    return null;
  }

  // A page without readings has become one with some, or the other way round.
  isOther(there) {
    return Boolean(there.getElementById("view")) !== Boolean(document.getElementById("view"));
  }

  lost() {
    this.lostSince ??= clockNow();
    this.say(text("lost", { since: this.lostSince }), "critical");
  }

  found(begun) {
    if (this.lostSince !== null) {
      this.lostSince = null;
      this.say(null);
    }
    if (this.begun !== null && begun !== this.begun) {
      this.say(text("restarted", { since: clockNow() }), "info");
      setTimeout(() => this.lostSince === null && this.say(null), NOTICE_MS);
    }
    this.begun = begun;
  }

  say(said, severity) {
    const place = document.getElementById("link");
    place.hidden = said === null;
    place.className = `line ${severity}`;
    if (said !== null && place.textContent !== said) place.textContent = said;
  }
}
