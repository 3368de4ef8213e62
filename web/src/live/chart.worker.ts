// Makes a chart small, away from the page's thread.
import { compacted, type ChartBody } from "./compact";

self.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) => {
  self.postMessage(compacted(JSON.parse(new TextDecoder().decode(data)) as ChartBody));
});
