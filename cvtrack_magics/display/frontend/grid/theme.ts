// Light or dark: what the notebook around us says, or else what the browser does.

export function followTheme(): void {
  addEventListener("message", (event: MessageEvent) => {
    const said = event.data as { cvtrack?: unknown; theme?: unknown } | null;
    if (event.source !== parent || said?.cvtrack !== "theme") return;
    if (said.theme === "light" || said.theme === "dark") {
      document.documentElement.dataset["theme"] = said.theme;
    }
  });
}
