// @ts-check
// What JupyterLab's loader asks of an extension, as webpack would write it: a container with `init` and `get`.
// A classic script: it finds its neighbours, which are ES modules, by its own address.
(() => {
  const address = /** @type {HTMLScriptElement} */ (document.currentScript).src;
  // All modules, now and together: the front end asks for the plugins only after its own code has run for a second or
  // more, and would then wait while the browser learns of each module from the one that imports it.
  const modules = `
    main alignment blake2b card card_dialog commands dialogs early_notices keep_key keep_removed kernel_link
    key_calls key_copies key_shapes open_documents paste_exceptions paste_guard removals removed_text sealing
    server_facts settings shared_packages status
  `;
  for (const name of modules.trim().split(/\s+/)) {
    const { href } = new URL(`${name}.js`, address);
    document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
  }
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
