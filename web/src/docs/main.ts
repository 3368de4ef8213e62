// Swagger UI over the OpenAPI document of the process that serves the page. It asks nobody else: no validator, no fonts.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import "swagger-ui-dist/swagger-ui.css";
import "./docs.css";
import { withoutKeys } from "./examples";
import { nameControls } from "./names";

const domNode = document.querySelector("#docs");
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Swagger UI has its dark colours behind a class. */
function follow(): void {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

if (domNode !== null) {
  follow();
  nameControls(domNode);
  dark.addEventListener("change", follow);
  SwaggerUI({
    url: location.pathname.startsWith("/command/") ? "/command/openapi.json" : "/openapi.json",
    domNode,
    // Its links would stand inside of buttons, where readers by ear cannot get at them.
    deepLinking: false,
    validatorUrl: null,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    plugins: [
      { statePlugins: { spec: { wrapActions: { updateJsonSpec: (original) => (spec) => original(withoutKeys(spec)) } } } },
    ],
  });
}
