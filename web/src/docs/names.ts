// Names for controls of Swagger UI that have none: what readers by ear are told of a choice, a body or a parameter.

/** What a control is, by where it stands. */
function nameOf(control: Element): string {
  const parameter = control.closest("[data-param-name]")?.getAttribute("data-param-name");
  if (parameter) return parameter;
  if (control.matches(".examples-select-element")) return "Example";
  if (control.closest(".body-param, .opblock-section-request-body") && control.matches("textarea")) return "Request body";
  if (control.closest(".content-type-wrapper, .response-control-media-type")) return "Media type";
  return control.getAttribute("placeholder") ?? "Value";
}

/** Names what has no name now, and what is added later. */
export function nameControls(root: Element): void {
  const name = () => {
    for (const control of root.querySelectorAll("select:not([aria-label]), textarea:not([aria-label]), input:not([aria-label])")) {
      const { labels } = control as HTMLInputElement;
      if (!control.hasAttribute("aria-labelledby") && !labels?.length) control.setAttribute("aria-label", nameOf(control));
    }
    // Boxes that scroll have to be within reach of the keyboard.
    for (const box of root.querySelectorAll(".microlight:not([tabindex]), pre:not([tabindex])")) box.setAttribute("tabindex", "0");
  };
  new MutationObserver(name).observe(root, { childList: true, subtree: true });
  name();
}
