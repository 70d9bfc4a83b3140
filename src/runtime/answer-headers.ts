// What every answer over HTTP carries, whoever writes it: the application, the listener or the gateway. Whether a name is
// to be reached over TLS only (HSTS) is for whoever terminates TLS to say.

/** Names in lower case. A page or an asset that needs another policy sets its own; nothing else may. */
export const answerHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  // Together with the absence of any CORS header: no page of another origin can read or embed an answer.
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  // Answers are the state of now, and some hold a secret that is shown once.
  'cache-control': 'no-store',
};
