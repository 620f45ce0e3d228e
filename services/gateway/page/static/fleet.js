import { Live } from "./live.js";

new Live(() => false).look();
