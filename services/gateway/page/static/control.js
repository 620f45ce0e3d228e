// Pauses the replay of a demo, and changes its pace.
import { text } from "./words.js";

export function control(form) {
  const said = document.getElementById("control-said");
  const pause = document.getElementById("control-pause");

  async function ask(wanted) {
    const asked = wanted ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) } : {};
    const answer = await fetch("/control", asked);
    const found = await answer.json();
    if (!answer.ok) {
      said.textContent = found.detail;
      return;
    }
    form.elements.rate.value = found.rate_per_s;
    pause.textContent = text(found.paused ? "control.resume" : "control.pause");
    pause.dataset.paused = found.paused;
    const rate = found.rate_per_s === 0 ? text("control.fastest") : text("control.rate", { rate: found.rate_per_s });
    said.textContent = found.paused ? text("control.paused") : rate;
  }

  pause.addEventListener("click", () => ask({ paused: pause.dataset.paused !== "true" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask({ rate_per_s: Number(form.elements.rate.value) });
  });
  ask();
}
