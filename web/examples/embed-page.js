// Listens to the map. With auth.mode jwt a page also gives it the buyer's token: map.token = await getToken();
const map = document.querySelector("box-office-map");
const told = document.querySelector("#told");

for (const name of ["seats-chosen", "held", "reserved", "released", "conflict", "expired", "problem"]) {
  map.addEventListener(name, (event) => {
    const line = document.createElement("li");
    line.textContent = `${name} ${JSON.stringify(event.detail)}`;
    told.prepend(line);
  });
}
