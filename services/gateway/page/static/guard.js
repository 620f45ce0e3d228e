// Loads the page again where its scripts do not start, or belong to another version than the gateway that answers: while
// replicas are upgraded, parts of two versions may come. It stands apart, so that it runs whatever the others do.
(() => {
  const RELOAD_MS = 60000; // from one to the next: replicas of two versions may answer in turn
  let timer = null;

  function reload() {
    const dueMs = Number(sessionStorage.getItem("reloadedMs")) + RELOAD_MS;
    timer ??= setTimeout(() => {
      sessionStorage.setItem("reloadedMs", Date.now());
      location.reload();
    }, dueMs - Date.now());
  }

  document.addEventListener("outdated", reload);
  addEventListener("load", () => {
    if (document.documentElement.dataset.started === undefined) reload();
  });
})();
