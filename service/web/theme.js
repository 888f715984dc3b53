// Not a module: it runs before the page is painted, so that no page flashes in the other theme.
(() => {
  "use strict";
  const NAME = "byline-theme";
  const THEMES = ["auto", "light", "dark"];

  function stored() {
    try {
      return localStorage.getItem(NAME);
    } catch {
      return null; // storage is switched off: the system's theme
    }
  }

  function apply(theme) {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  }

  apply(stored());
  document.addEventListener("DOMContentLoaded", () => {
    const chosen = THEMES.includes(stored()) ? stored() : "auto";
    for (const input of document.querySelectorAll("input[name=theme]")) {
      input.checked = input.value === chosen;
      input.addEventListener("change", () => {
        apply(input.value);
        try {
          localStorage.setItem(NAME, input.value);
        } catch {
          // It holds for this page then.
        }
      });
    }
  });
})();
