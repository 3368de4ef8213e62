// What the embedded map says beside what the map itself says.
export interface EmbedWords {
  choose: string;
  seats: { one: string; other: string };
  hold: string;
  reserve: string;
  release: string;
  heldFor: string;
  reserved: string;
  quantity: string;
  more: string;
  fewer: string;
  done: string;
  lost: string;
  connecting: string;
  missing: string;
  problems: Record<string, string>;
  failed: string;
}

const en: EmbedWords = {
  choose: "Choose your seats on the map",
  seats: { one: "{n} place", other: "{n} places" },
  hold: "Continue",
  reserve: "Reserve now",
  release: "Give back",
  heldFor: "Held for {time}",
  reserved: "Reserved. See you there!",
  quantity: "How many?",
  more: "One more",
  fewer: "One fewer",
  done: "Done",
  lost: "Connection lost: what you see may be old.",
  connecting: "Loading seats…",
  missing: "This show could not be loaded.",
  problems: {
    SEAT_NOT_AVAILABLE: "Somebody was faster. Please choose other seats.",
    TOO_MANY: "You cannot choose more.",
    LIMIT_EXCEEDED: "You cannot have more seats of this show.",
    UNAUTHENTICATED: "Please sign in first.",
    SALES_NOT_OPEN: "Sales are not open yet.",
    SALES_PAUSED: "Sales are paused for a moment.",
    SALES_CLOSED: "Sales have closed.",
    HOLD_EXPIRED: "Your time was up. Please choose again.",
    NOT_ENOUGH_SEATS: "There are not so many left.",
    NETWORK: "No answer. Please try again.",
  },
  failed: "That did not work. Please try again.",
};

const de: EmbedWords = {
  choose: "Wählen Sie Ihre Plätze im Plan",
  seats: { one: "{n} Platz", other: "{n} Plätze" },
  hold: "Weiter",
  reserve: "Jetzt reservieren",
  release: "Zurückgeben",
  heldFor: "Noch {time} für Sie gehalten",
  reserved: "Reserviert. Bis bald!",
  quantity: "Wie viele?",
  more: "Einer mehr",
  fewer: "Einer weniger",
  done: "Fertig",
  lost: "Verbindung unterbrochen: Der Plan ist vielleicht veraltet.",
  connecting: "Plätze werden geladen …",
  missing: "Diese Veranstaltung konnte nicht geladen werden.",
  problems: {
    SEAT_NOT_AVAILABLE: "Jemand war schneller. Bitte wählen Sie andere Plätze.",
    TOO_MANY: "Mehr können Sie nicht wählen.",
    LIMIT_EXCEEDED: "Mehr Plätze dieser Veranstaltung sind nicht möglich.",
    UNAUTHENTICATED: "Bitte melden Sie sich zuerst an.",
    SALES_NOT_OPEN: "Der Verkauf hat noch nicht begonnen.",
    SALES_PAUSED: "Der Verkauf ist gerade unterbrochen.",
    SALES_CLOSED: "Der Verkauf ist beendet.",
    HOLD_EXPIRED: "Ihre Zeit ist abgelaufen. Bitte wählen Sie neu.",
    NOT_ENOUGH_SEATS: "So viele gibt es nicht mehr.",
    NETWORK: "Keine Antwort. Bitte versuchen Sie es noch einmal.",
  },
  failed: "Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
};

export function embedWordsFor(language: string): EmbedWords {
  return language.startsWith("de") ? de : en;
}
