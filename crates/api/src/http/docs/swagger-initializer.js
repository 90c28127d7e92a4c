window.onload = function () {
  window.ui = SwaggerUIBundle({
    // Relative: the server may lie below a path.
    url: "../api/v1/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    layout: "StandaloneLayout",
    persistAuthorization: false,
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    validatorUrl: "none",
  });
};
