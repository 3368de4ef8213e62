// Serves dist/ as the binary does, with the same policy, and hands everything else to the process behind it.
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, request, type ServerResponse } from "node:http";
import { extname, join } from "node:path";
import { closed, listening } from "./port.js";

const dist = process.env.DIST ?? join(import.meta.dirname, "../../dist");

/** What the pages may do; `docs.html` states its own. */
const policyOf = (commandsAt: string) =>
  `default-src 'self'; img-src 'self' data: blob:; connect-src 'self' ${commandsAt}; base-uri 'none'; form-action 'none'; ` +
  "frame-ancestors 'none'; object-src 'none'";
export const docsPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const pages: Record<string, string> = {
  "/": "index.html",
  "/ops": "ops.html",
  "/docs": "docs.html",
  "/command/docs": "docs.html",
  "/licenses": "licenses.html",
  "/embed.js": "embed.js",
};

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".json": "application/json",
};

/** What /web.json says where the process has none of its own, as when it was built without the page. */
const web = { commandUrl: "", auth: { mode: "header" }, version: "" };

export interface Front {
  url: string;
  close(): Promise<void>;
}

/** The file that an address leads to, or that there is none; nothing where the address is not the page's. */
function file(path: string): string | null | undefined {
  const page = pages[path];
  if (page !== undefined) return join(dist, page);
  if (!/^\/assets\/[\w.-]+$/.test(path)) return undefined;
  const asset = join(dist, path);
  return existsSync(asset) ? asset : null;
}

function serve(path: string, found: string | null, answer: ServerResponse, policy: string): void {
  if (found === null || !existsSync(found)) {
    answer.writeHead(404, { "cache-control": "no-store" }).end();
    return;
  }
  const isAsset = path.startsWith("/assets/");
  answer
    .writeHead(200, {
      "content-type": types[extname(found)] ?? "application/octet-stream",
      "content-security-policy": path.endsWith("/docs") ? docsPolicy : policy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      // Others load the map from here.
      ...(isAsset || path === "/embed.js" ? { "access-control-allow-origin": "*" } : {}),
      "cache-control": isAsset ? "public, max-age=31536000, immutable" : "no-cache",
    })
    .end(readFileSync(found));
}

function pass(backend: URL, asked: IncomingMessage, answer: ServerResponse): void {
  const headers: OutgoingHttpHeaders = { ...asked.headers, host: backend.host };
  // The process answers its own pages alone; here they come from another port.
  for (const name of ["origin", "referer", "sec-fetch-site"]) delete headers[name];
  const onward = request(new URL(asked.url ?? "/", backend), { method: asked.method, headers }, (reply) => {
    if (reply.statusCode === 404 && asked.url === "/web.json") {
      reply.resume();
      answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(web));
      return;
    }
    answer.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(answer);
    reply.once("error", () => answer.destroy());
  });
  // Who is not there does not answer: a process that is down looks like one.
  onward.once("error", () => answer.destroy());
  answer.once("close", () => onward.destroy());
  asked.pipe(onward);
}

/** Listens on a port of its own until it is closed. `commandsAt`: where else the pages may send commands. */
export async function front(backend: string, commandsAt = ""): Promise<Front> {
  const behind = new URL(backend);
  const server = createServer((asked, answer) => {
    const path = new URL(asked.url ?? "/", behind).pathname;
    const found = asked.method === "GET" ? file(path) : undefined;
    if (found === undefined) pass(behind, asked, answer);
    else serve(path, found, answer, policyOf(commandsAt));
  });
  return { url: await listening(server), close: () => closed(server) };
}
