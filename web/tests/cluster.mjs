// `npm run e2e:cluster`: what of the browser's tests needs no process of its own, against the gateway at BOXOFFICE_URL.
import { launch } from "./launch.mjs";

if (!process.env.BOXOFFICE_URL) {
  console.error("e2e:cluster: BOXOFFICE_URL is not set: GATEWAY_URL of .cluster/env, which `make cluster` writes");
  process.exit(2);
}
await launch("tests/anywhere.e2e.ts");
