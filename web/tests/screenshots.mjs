// `npm run screenshots`: pictures of the page, for README into docs/images, of its states into target/screenshots.
import { launch } from "./launch.mjs";

await launch("tests/**/*.shots.ts");
