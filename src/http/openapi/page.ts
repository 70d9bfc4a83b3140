// The page at /docs: the interactive reader of swagger-ui with the relay's own title. Nothing in it is inline, and nothing
// comes from anywhere but the relay.

/** Addresses are relative, so that the page works below a prefix of a proxy too. */
export const pageHtml = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>eventsub-relay: the API</title>
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png" />
    <link rel="stylesheet" href="docs/swagger-ui.css" />
    <link rel="stylesheet" href="docs/page.css" />
    <script src="docs/swagger-ui-bundle.js" defer></script>
    <script src="docs/start.js" defer></script>
  </head>
  <body>
    <header>
      <h1>The API of this relay</h1>
      <p>
        Read an operation, then try it: <em>Authorize</em> takes your credentials, <em>Try it out</em> sends the
        request to this relay. Credentials are forgotten when the page is closed.
      </p>
      <p>
        As documents: <a href="openapi.json">the HTTP API (OpenAPI 3.1)</a>,
        <a href="asyncapi.json">the WebSocket (AsyncAPI 3.0)</a>.
      </p>
    </header>
    <main id="api"><p class="wait">The description is being read.</p></main>
    <noscript><p class="wait">This page needs scripts; the documents above do not.</p></noscript>
  </body>
</html>
`;

export const startScript = `// Starts the reader. No validator, no stored credentials, no address but this relay's.
window.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#api',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  queryConfigEnabled: false,
  validatorUrl: null,
});
`;

export const pageStyle = `body { margin: 0; }
header, .wait { max-width: 1460px; margin: 0 auto; padding: 20px 20px 0; box-sizing: border-box; font: 16px/1.5 sans-serif; color: #3b4151; }
header h1 { margin: 0 0 8px; font-size: 28px; }
header p { margin: 0 0 6px; max-width: 60em; }
.swagger-ui .info { margin: 20px 0; }
@media (prefers-color-scheme: dark) { body { background: #1c2022; } header, .wait { color: #d3d6da; } header a { color: #8ab4f8; } }
`;

/** The icons are in the style sheet itself, as data. `connect-src` lets the page ask this relay, and nobody else. */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
