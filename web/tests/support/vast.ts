// A show of as many seats as there may be: 200,000 in 200 sections before a stage, numbered through from left to right.
import { service } from "./resources.js";

const BANDS = [..."ABCDEFGHIJ"];
const COLUMNS = 20;
const ROWS = 25;
const WIDTH = 40;

const sections = BANDS.flatMap((band, deep) =>
  Array.from({ length: COLUMNS }, (_, column) => {
    const [first, last] = [column * WIDTH + 1, (column + 1) * WIDTH];
    const [x, y] = [(column - (COLUMNS - 1) / 2) * (WIDTH + 4), 30 + deep * (ROWS + 5)];
    const category = deep < 2 ? "front" : deep < 6 ? "middle" : "back";
    return `  - {id: ${band}${column + 1}, priceCategory: ${category}, rows: [{rows: "1-${ROWS}", seats: "${first}-${last}"}], layout: {x: ${x}, y: ${y}}}`;
  }),
);

export const vast = `${service}---
apiVersion: boxoffice.dev/v1alpha1
kind: SeatingEvent
metadata: {name: vast}
spec:
  serviceRef: {name: main}
  title: Everybody at Once
  startsAt: "2099-08-01T18:00:00Z"
  limits: {seatsPerUser: 8}
  focalPoint: {x: 0, y: 0}
  priceCategories:
  - {name: front, amount: 15000, currency: EUR}
  - {name: middle, amount: 9000, currency: EUR}
  - {name: back, amount: 5000, currency: EUR}
  sections:
${sections.join("\n")}
`;
