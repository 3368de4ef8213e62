// Steps of the build beside Vite's own.
import type { Plugin } from "vite";
import { licenses } from "./licenses.ts";

export const plugins: Plugin[] = [licenses()];
