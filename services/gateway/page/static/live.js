// Keeps a page as the gateway would make it now: it is asked for again, and the parts that have changed are exchanged.
import { text } from "./words.js";

const POLL_MS = 15000; // what grows old without a message, such as a silent meter, is seen by this
const ANSWER_MS = 10000;
const NOTICE_MS = 60000;
const PACE_MS = 400; // from the end of one look to the begin of the next

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
  // `took` is given each new page.
  constructor(took) {
    this.took = took;
    this.asking = false;
    this.again = false;
    this.lostSince = null;
    this.begun = null;
    setInterval(() => this.look(), POLL_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  // Ask for the page, at once or as soon as the last answer is here.
  async look() {
    if (document.hidden) return;
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(ANSWER_MS), headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const there = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.found(answer.headers.get("X-Tetouan-Begun"));
      if (there.documentElement.dataset.version !== document.documentElement.dataset.version || this.isOther(there)) {
        location.reload();
        return;
      }
      exchange(there);
      this.took(there);
    } catch {
      this.lost();
    }
    setTimeout(() => {
      this.asking = false;
      if (this.again) {
        this.again = false;
        this.look();
      }
    }, PACE_MS);
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
