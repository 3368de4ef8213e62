// Begins the page for buyers: language first, so that nothing is read in the wrong one.
import { mount } from "svelte";
import App from "./App.svelte";
import { startLanguage } from "./i18n/index.svelte";
import { breath } from "../live/breath";
import { load } from "./load";
import { parts } from "./parts";
import { prepared } from "./prepared";
import { router } from "./route.svelte";
import "./theme.css";

const target = document.getElementById("app");
if (target === null) throw new Error("the page has no #app");

router.start();
// What the first view needs is on its way while the language is.
if (router.current.page === "show") {
  for (const part of [parts.show, parts.map]) {
    await breath();
    void load<unknown>(part).catch(() => undefined);
  }
}
await startLanguage();
await breath();
void prepared();
await breath();
mount(App, { target });
