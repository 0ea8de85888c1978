// Shows the APIs' document, signed in as the demo's admin for the admin API and as its user for the Account API.
(async () => {
  const load = async (url) => (await fetch(url)).json();
  const [{ adminToken, userToken }, spec] = await Promise.all([load("/docs/session.json"), load("/openapi.json")]);
  const [[path, methods]] = Object.entries(spec.paths);
  const operation = ["paths", path, Object.keys(methods)[0]];
  const ui = SwaggerUIBundle({
    spec,
    dom_id: "#api",
    presets: [SwaggerUIBundle.presets.apis],
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    filter: true,
    tryItOutEnabled: true,
    onComplete: () => {
      ui.preauthorizeApiKey("IdToken", adminToken);
      ui.preauthorizeApiKey("UserIdToken", userToken);
      resolve();
    },
  });
  // Swagger UI resolves an operation when it is opened, and forgets that if it still reads the document: "Execute" then
  // does nothing, for good. So one is resolved before the page says that it is ready; all of them would take a minute.
  const resolve = (askAt = 0) => {
    if (ui.specSelectors.specResolvedSubtree(operation)) {
      document.body.dataset.ready = "yes";
      return;
    }
    const ask = performance.now() >= askAt;
    if (ask) ui.specActions.requestResolvedSubtree(operation);
    setTimeout(resolve, 50, ask ? performance.now() + 1000 : askAt);
  };
})();
