// The parts of the page that are loaded apart, each when it is needed.

export const parts = {
  show: () => import("./show/ShowPage.svelte"),
  tickets: () => import("./tickets/TicketsPage.svelte"),
  map: () => import("../map/SeatMap.svelte"),
};
