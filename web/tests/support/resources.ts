// The shows of the tests: each is in one state that a buyer can meet.

/** What sells the shows of the tests. */
export const service = `
apiVersion: boxoffice.dev/v1alpha1
kind: ReservationService
metadata: {name: main}
spec:
  auth: {mode: header, allowFrom: [{podSelector: {}}]}
  redis: {url: "redis://redis:6379"}
  kafka: {bootstrapServers: "kafka:9092", topic: {name: seat-events, partitions: 2, replicationFactor: 1}}
  durability: {hold: redis, reserve: log}
  limits: {requestsPerUserPerSecond: 1000}
  consumers:
  - {name: seat-view, handler: seat-view, database: {url: "postgres://view"}}
  - {name: reservations, handler: persistence, database: {url: "postgres://reservations"}}
  - {name: stats, handler: stats, database: {url: "postgres://stats"}}
  - {name: payments, handler: payment, database: {url: "postgres://payments"}, payment: {sandbox: true, timeoutSeconds: 60}}
`;

interface Show {
  name: string;
  title: string;
  /** What differs from a show on sale with holds of five minutes, as YAML in one line. */
  sales?: string;
  hold?: string;
  seatsPerUser?: number;
  sections?: string;
  blocked?: string;
}

const hall = `
  - {id: STALLS, title: Stalls, priceCategory: gold, layout: {x: 0, y: 8}, rows: [{rows: "A,B,C,D", seats: "1-10"}]}
  - {id: CIRCLE, title: Circle, priceCategory: silver, layout: {x: 0, y: 16}, rows: [{rows: "A,B", seats: "1-6,9-14"}]}
  - {id: FLOOR, title: Standing, priceCategory: silver, capacity: 50, layout: {x: 0, y: 24}}`;

function show({ name, title, sales = "{}", hold, seatsPerUser = 8, sections = hall, blocked }: Show): string {
  return `---
apiVersion: boxoffice.dev/v1alpha1
kind: SeatingEvent
metadata: {name: ${name}}
spec:
  serviceRef: {name: main}
  title: ${title}
  startsAt: "2099-02-14T19:30:00Z"
  sales: ${sales}
  hold: ${hold ?? "{ttlSeconds: 300, maxSeconds: 900}"}
  limits: {seatsPerUser: ${seatsPerUser}}
  focalPoint: {x: 0, y: 0}
  priceCategories:
  - {name: gold, amount: 7500, currency: EUR}
  - {name: silver, amount: 4000, currency: EUR}
  sections:${sections}
  blocked: ${blocked ?? "[]"}
`;
}

const shows: Show[] = [
  { name: "hall", title: "An Evening at the Hall", blocked: "[{seats: [STALLS-D-10], reason: camera}]" },
  { name: "quick", title: "Quick Decisions", hold: "{ttlSeconds: 4, maxSeconds: 8}" },
  { name: "later", title: "Not Yet", sales: '{opensAt: "2098-01-01T10:00:00Z"}' },
  { name: "paused", title: "A Pause", sales: "{paused: true}" },
  { name: "closed", title: "Over", sales: '{opensAt: "2020-01-01T10:00:00Z", closesAt: "2020-02-01T10:00:00Z"}' },
  {
    name: "last-seat",
    title: "The Last Seat",
    sections: '\n  - {id: BOX, title: Box, priceCategory: gold, rows: [{row: "1", seats: "1"}]}',
  },
];

/** All of them, with what sells them. */
export const resources = [service, ...shows.map(show)].join("");
