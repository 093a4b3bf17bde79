// Elements that come and go in a page that other people's code builds.

/** Call `found` with every element that matches: those here, and later ones before they are painted. */
export function watchFor(
  selector: string,
  found: (element: HTMLElement) => void,
  gone?: () => void,
): () => void {
  const look = (node: ParentNode) => {
    for (const match of node.querySelectorAll<HTMLElement>(selector)) found(match);
  };
  let timer = 0;
  const observer = new MutationObserver((changes) => {
    for (const { addedNodes, removedNodes } of changes) {
      for (const node of addedNodes) {
        if (!(node instanceof HTMLElement) || !node.isConnected) continue;
        if (node.matches(selector)) found(node);
        look(node);
      }
      // An element that is moved is taken out and put in: only later is it clear which is gone.
      if (gone && removedNodes.length && !timer) {
        timer = window.setTimeout(() => {
          timer = 0;
          gone();
        }, 60);
      }
    }
  });
  observer.observe(document.documentElement, { childList: true, subtree: true });
  look(document);
  return () => {
    observer.disconnect();
    clearTimeout(timer);
  };
}
