// What all parts of the page share: who buys, the two sides of the service, and whether a command waits for another attempt.
import { Commands, type Waiting } from "../commands/client";
import { Reader } from "../commands/reader";
import { Session } from "../commands/session.svelte";
import { clock } from "./clock.svelte";
import { own } from "./own";

class Shared {
  readonly session = new Session();
  readonly reader = new Reader(this.session.headers);
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
      onwait: (waiting) => (this.waiting = waiting),
      ontime: (date) => clock.heard(date),
    });
    return this.#commands;
  }

  /** Asks who buys, unless that is known. */
  signIn = async (): Promise<boolean> => {
    try {
      await this.start();
    } catch {
      // The command itself will tell what is wrong, or is repeated.
    }
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
    const holds = await own.holds(this.reader, this.session.user);
    return holds
      .filter((hold) => hold.eventId === eventId)
      .sort((a, b) => b.expiresAt - a.expiresAt)[0]?.holdId;
  }
}

export const shared = new Shared();
