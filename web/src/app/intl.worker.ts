// Has the browser read what it knows of a language, which is this worker's name.
import { lists, numbers, plurals, times } from "../intl";

numbers(self.name).format(0);
times(self.name, { dateStyle: "full", timeStyle: "full" }).format(0);
lists(self.name).format(["1", "2"]);
plurals(self.name).select(1);
self.postMessage("read");
