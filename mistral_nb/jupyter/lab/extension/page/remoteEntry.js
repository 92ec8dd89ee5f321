// @ts-check
// What JupyterLab's loader asks of an extension, as webpack would write it: a container with `init` and `get`.
// A classic script: it finds its neighbours, which are ES modules, by its own address.
(() => {
  const address = /** @type {HTMLScriptElement} */ (document.currentScript).src;
  /** @type {unknown} */
  let scope;
  const container = {
    /** @param {unknown} shareScope every package that the front end shares, by name and version */
    init(shareScope) {
      scope = shareScope;
    },
    async get() {
      const { loadPlugins } = await import(new URL("main.js", address).href);
      const plugins = await loadPlugins(scope);
      return () => ({ __esModule: true, default: plugins });
    },
  };
  const page = /** @type {{_JUPYTERLAB?: Record<string, unknown>}} */ (/** @type {unknown} */ (window));
  page._JUPYTERLAB = { ...page._JUPYTERLAB, "mistral-nb": container };
})();
