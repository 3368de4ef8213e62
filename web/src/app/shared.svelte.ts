// What all parts of the page share: who buys, the two sides of the service, and whether a command waits for another attempt.
import { Commands, type Waiting } from "../commands/client";
import { Reader } from "../commands/reader";
import { patience, repeat } from "../commands/retry";
import { Session } from "../commands/session.svelte";
import type { OnTime } from "../dates";
import { announce } from "./announce.svelte";
import { clock } from "./clock.svelte";
import { own } from "./own";
import { wordsOfWait } from "./problems";

class Shared {
  readonly ontime: OnTime = (date, sentAt) => clock.heard(date, sentAt);
  readonly session = new Session(this.ontime);
  readonly reader = new Reader(this.session.headers, "", undefined, this.ontime);
  waiting = $state.raw<Waiting>();
  /** The question who buys is open; `isAgain` if it was answered before. */
  asking = $state.raw<{ isAgain: boolean; answer: (isKnown: boolean) => void }>();
  /** How often somebody signed out. */
  partings = $state(0);
  #commands: Commands | undefined;
  #isForgotten = false;
  #started: Promise<void> | undefined;

  /** Reads how one signs in; again, if that failed. */
  start(): Promise<void> {
    this.#started ??= this.session.start().catch((cause: unknown) => {
      this.#started = undefined;
      throw cause;
    });
    return this.#started;
  }

  get commands(): Commands {
    // Where commands go is read before anything can be commanded: signIn waits for it.
    this.#commands ??= new Commands({
      get base() {
        return shared.session.commandUrl;
      },
      headers: this.session.headers,
      onwait: this.#waits,
      ontime: this.ontime,
    });
    return this.#commands;
  }

  /** Commands wait by the reader's clock, and what is shown goes by the service's. Those who listen hear it once. */
  readonly #waits = (waiting: Waiting | undefined): void => {
    const shown = waiting && { ...waiting, until: waiting.until - Date.now() + clock.exact };
    if (shown !== undefined && this.waiting === undefined) announce(wordsOfWait(shown, clock.exact));
    this.waiting = shown;
  };

  /** Asks who buys, unless that is known. How one signs in has to be known for that: a problem if nobody says. */
  signIn = async (): Promise<boolean> => {
    await repeat(() => this.start(), patience, this.#waits);
    if (this.session.isKnown) return true;
    return new Promise((resolve) => {
      const isAgain = this.#isForgotten;
      this.asking = { isAgain, answer: (isKnown) => ((this.asking = undefined), resolve(isKnown)) };
    });
  };

  forgotten = (): void => {
    this.session.signOut();
    this.session.gateway = false;
    this.#isForgotten = true;
  };

  signOut(): void {
    this.session.signOut();
    own.forget();
    this.partings++;
  }

  /** The hold of a show that ends last, where one has any. */
  async findHold(eventId: string): Promise<string | undefined> {
    if (this.session.user === undefined) return own.heldOf(eventId, clock.exact);
    const holds = await own.holds(this.reader, this.session.user);
    return holds
      .filter((hold) => hold.eventId === eventId)
      .sort((a, b) => b.expiresAt - a.expiresAt)[0]?.holdId;
  }
}

export const shared = new Shared();
