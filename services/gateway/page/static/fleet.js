import { Live } from "./live.js";

new Live(() => true).look();
document.documentElement.dataset.started = "";
