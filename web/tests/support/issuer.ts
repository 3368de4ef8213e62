// Who signs tokens for a test, and publishes its key as a JSON Web Key Set on a port of its own.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer, type Server } from "node:http";
import { closed, listening } from "./port.js";

const ISSUER = "https://login.example.com/";
const AUDIENCE = "tickets";
const KEY = "one";

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class Issuer {
  readonly #private: KeyObject;

  private constructor(
    readonly server: Server,
    readonly url: string,
    key: KeyObject,
  ) {
    this.#private = key;
  }

  static async open(): Promise<Issuer> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const keys = [{ ...publicKey.export({ format: "jwk" }), kid: KEY, alg: "ES256", use: "sig" }];
    const server = createServer((_, answer) => {
      answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys }));
    });
    return new Issuer(server, await listening(server), privateKey);
  }

  /** `spec.auth` of a service that believes its tokens, as YAML in one line. */
  get auth(): string {
    return `{mode: jwt, jwt: {issuer: "${ISSUER}", audience: ${AUDIENCE}, jwksUrl: "${this.url}"}}`;
  }

  /** A token of this user that is good for ten minutes. */
  token(user: string): string {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: user, iat: now, exp: now + 600 };
    const message = `${encoded({ typ: "JWT", alg: "ES256", kid: KEY })}.${encoded(claims)}`;
    const signature = sign("sha256", Buffer.from(message), { key: this.#private, dsaEncoding: "ieee-p1363" });
    return `${message}.${signature.toString("base64url")}`;
  }

  close(): Promise<void> {
    return closed(this.server);
  }
}
