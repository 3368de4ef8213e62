// Where a test runs that needs no more than a page and shows: on the cluster whose gateway is BOXOFFICE_URL, else in one process.
import { BoxOffice } from "./boxoffice.js";
import { Cluster } from "./cluster.js";
import type { Office } from "./office.js";
import { resources } from "./resources.js";

/** One that has these shows of the tests on sale. */
export function office(shows: readonly string[]): Promise<Office> {
  const { BOXOFFICE_URL } = process.env;
  return BOXOFFICE_URL ? Cluster.start(BOXOFFICE_URL, shows) : BoxOffice.start(resources);
}
