// How much of something long is shown: a part more with each frame, so that a slow phone answers a finger in between.
import { inTurn } from "./breath";

export class Growing {
  count = $state(0);

  constructor(readonly step: number) {}

  /** Begins anew, until `size` are shown. What is returned ends it. */
  begin(size: number): () => void {
    let stop = () => {};
    let count = 0;
    this.count = count;
    const more = () => {
      count += this.step;
      this.count = count;
      if (count < size) stop = inTurn(more);
    };
    stop = inTurn(more);
    return () => stop();
  }
}
