// The command side at an origin of its own: hands everything on to the process behind it, and remembers what browsers asked.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { closed, listening } from "./port.js";

export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
}

export class Elsewhere {
  readonly asked: Asked[] = [];
  #behind: URL | undefined;
  readonly #server: Server = createServer((asked, answer) => this.#pass(asked, answer));
  url = "";

  static async open(): Promise<Elsewhere> {
    const self = new Elsewhere();
    self.url = await listening(self.#server);
    return self;
  }

  /** Where the process is. */
  leadsTo(backend: string): void {
    this.#behind = new URL(backend);
  }

  close(): Promise<void> {
    return closed(this.#server);
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    const { method = "GET", url = "/", headers } = asked;
    this.asked.push({ method, path: url, headers });
    if (this.#behind === undefined) return void answer.destroy();
    const onward = request(new URL(url, this.#behind), { method, headers: { ...headers, host: this.#behind.host } }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    });
    onward.once("error", () => answer.destroy());
    answer.once("close", () => onward.destroy());
    asked.pipe(onward);
  }
}
