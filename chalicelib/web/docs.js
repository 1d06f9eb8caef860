// Addresses are relative: the page stands at /docs under `chalice local` and at /api/docs on AWS.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: false,
  // By default the viewer shows the contract to an outside validator.
  validatorUrl: null,
});
