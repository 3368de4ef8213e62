// How the pages are built: one entry a page, `embed.js` under a fixed name, everything else under a hash in /assets.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin, type ProxyOptions } from "vite";
import { plugins as steps } from "./build/plugins.ts";

/** The backend of `vite dev` and `vite preview`: `boxoffice local`. */
const backend = process.env.BOXOFFICE_URL ?? "http://127.0.0.1:9101";

const entries: Record<string, string> = {
  index: "index.html",
  ops: "ops.html",
  docs: "docs.html",
  embed: "src/embed/element.ts",
};

const paths = ["events", "seats", "holds", "reservations", "users", "trace", "admin", "web.json", "openapi.json", "command"];

const proxied: ProxyOptions = {
  target: backend,
  // The backend answers to its own address and to requests of its own pages alone.
  changeOrigin: true,
  configure: (proxy) => {
    proxy.on("proxyReq", (request) => {
      request.removeHeader("origin");
      request.removeHeader("referer");
      request.removeHeader("sec-fetch-site");
    });
  },
};
const proxy = Object.fromEntries(paths.map((path) => [`^/${path.replace(".", "\\.")}(/|\\?|$)`, proxied]));

/** /ops and /docs are pages without an ending, as the binary serves them. */
function cleanPaths(): Plugin {
  const rewrite = (url: string | undefined) => url?.replace(/^\/(ops|docs)(?=[?#]|$)/, "/$1.html");
  return {
    name: "clean-paths",
    configureServer: (server) => void server.middlewares.use((request, _, next) => {
      // What other pages load is built under this name.
      request.url = rewrite(request.url)?.replace(/^\/embed\.js$/, "/src/embed/element.ts");
      next();
    }),
    configurePreviewServer: (server) => void server.middlewares.use((request, _, next) => {
      request.url = rewrite(request.url);
      next();
    }),
  };
}

/** What was built before goes, the folder's .gitkeep stays. */
function emptyDist(): Plugin {
  const dist = resolve(import.meta.dirname, "dist");
  return {
    name: "empty-dist",
    apply: "build",
    buildStart: () => {
      const old = existsSync(dist) ? readdirSync(dist).filter((name) => name !== ".gitkeep") : [];
      for (const name of old) rmSync(resolve(dist, name), { recursive: true });
    },
  };
}

export default defineConfig({
  base: "/",
  // Scripts find what they load beside themselves: embed.js is loaded by pages of other origins.
  experimental: {
    renderBuiltUrl: (_: string, { hostType }: { hostType: string }) => (hostType === "js" ? { relative: true } : undefined),
  },
  plugins: [svelte(), cleanPaths(), emptyDist(), ...steps],
  worker: { format: "es" as const },
  server: { host: "127.0.0.1", proxy },
  preview: { host: "127.0.0.1", proxy },
  build: {
    target: "es2022",
    outDir: "dist",
    // .gitkeep stays: the folder has to be there for a build without pages.
    emptyOutDir: false,
    assetsDir: "assets",
    // What is in-lined as data: would be part of every load.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Swagger UI, which /docs alone loads, is one piece; a test holds the first load of the page to its limit.
    chunkSizeWarningLimit: 1600,
    rollupOptions: {
      input: Object.fromEntries(
        Object.entries(entries)
          .map(([name, file]) => [name, resolve(import.meta.dirname, file)] as const)
          .filter(([, file]) => existsSync(file)),
      ),
      output: {
        entryFileNames: (chunk: { name: string }) => (chunk.name === "embed" ? "embed.js" : "assets/[name]-[hash].js"),
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
});
