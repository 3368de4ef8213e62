// `npm run trial`: what the page costs a phone, told and not asserted: machines differ, and are shared.
import { launch } from "./launch.mjs";

await launch("tests/**/*.trial.ts");
