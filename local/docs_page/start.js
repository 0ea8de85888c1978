// Shows the API's document, signed in as the demo's admin.
(async () => {
  const { adminToken } = await (await fetch("/docs/session.json")).json();
  const ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#api",
    presets: [SwaggerUIBundle.presets.apis],
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    filter: true,
    tryItOutEnabled: true,
    onComplete: () => {
      ui.preauthorizeApiKey("IdToken", adminToken);
      document.body.dataset.ready = "yes";
    },
  });
})();
