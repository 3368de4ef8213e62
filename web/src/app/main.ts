// Begins the page for buyers: language first, so that nothing is read in the wrong one.
import { mount } from "svelte";
import App from "./App.svelte";
import { startLanguage } from "./i18n/index.svelte";
import { load } from "./load";
import { parts } from "./parts";
import { router } from "./route.svelte";
import "./theme.css";

const target = document.getElementById("app");
if (target === null) throw new Error("the page has no #app");

router.start();
// What the first view needs is on its way while the language is.
if (router.current.page === "show") {
  void load(parts.show).catch(() => undefined);
  void load(parts.map).catch(() => undefined);
}
await startLanguage();
mount(App, { target });
