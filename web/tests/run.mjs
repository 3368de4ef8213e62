// `npm run e2e [-- FILE...]`: the page in a browser against a Box Office in one process.
import { launch } from "./launch.mjs";

await launch("tests/**/*.e2e.ts");
