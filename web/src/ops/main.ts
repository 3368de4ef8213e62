// Begins the operators' page: language and key first.
import { mount } from "svelte";
import { startLanguage } from "../app/i18n/index.svelte";
import "../app/theme.css";
import Ops from "./Ops.svelte";
import { takeKey } from "./key";

const target = document.getElementById("ops");
if (target === null) throw new Error("the page has no #ops");

await startLanguage();
mount(Ops, { target, props: { key: takeKey() } });
