// Shows the APIs' document, signed in as the demo's admin for the admin API and as its user for the Account API.
(async () => {
  const load = async (url) => (await fetch(url)).json();
  const [{ adminToken, userToken }, spec] = await Promise.all([load("/docs/session.json"), load("/openapi.json")]);
  const operations = Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ["paths", path, method]),
  );
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
  // does nothing, for good. So all are resolved before the page says that it is ready.
  const resolve = () => {
    const missing = operations.filter((operation) => !ui.specSelectors.specResolvedSubtree(operation));
    if (!missing.length) {
      document.body.dataset.ready = "yes";
      return;
    }
    missing.forEach((operation) => ui.specActions.requestResolvedSubtree(operation));
    setTimeout(resolve, 50);
  };
})();
