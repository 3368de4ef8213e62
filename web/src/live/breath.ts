// Long work in slices: between two of them the browser answers a finger, and paints.

/** Lets what waits have its turn; what follows is a task of its own. */
export function breath(): Promise<void> {
  const { scheduler } = globalThis as { scheduler?: { yield?(): Promise<void> } };
  return scheduler?.yield?.() ?? new Promise((resolve) => setTimeout(resolve));
}

/** Where nothing is painted, as in a hidden tab, a frame is not waited for longer than this. */
const NO_FRAME = 200;

/** Ends behind the next frame: what was done before is laid out and painted by then. */
function frame(): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, NO_FRAME);
    requestAnimationFrame(() => {
      clearTimeout(late);
      void breath().then(resolve);
    });
  });
}

const waiting = new Set<() => void>();
let isGoing = false;

/** Does this in a frame of its own, behind what asked before. What is returned takes it back. */
export function inTurn(work: () => void): () => void {
  waiting.add(work);
  if (!isGoing) void go();
  return () => waiting.delete(work);
}

async function go(): Promise<void> {
  isGoing = true;
  while (waiting.size > 0) {
    await frame();
    const [next] = waiting;
    if (next === undefined) break;
    waiting.delete(next);
    next();
  }
  isGoing = false;
}
