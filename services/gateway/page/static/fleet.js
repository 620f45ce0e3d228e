import { Live } from "./live.js";

new Live(() => {}).look();
