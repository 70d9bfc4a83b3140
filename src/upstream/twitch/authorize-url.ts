// The address at which a user is asked for a grant. Pure.
// Source: https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/#authorization-code-grant-flow

export interface AuthorizeRequest {
  readonly clientId: string;
  /** One of those registered for the application, compared character by character. */
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  /** Comes back with the browser; unguessable. */
  readonly state: string;
  /** Of a stand-in for Twitch on this machine; undefined: Twitch itself. */
  readonly mockApiPort: number | undefined;
}

export function authorizeUrl(request: AuthorizeRequest): string {
  const { clientId, redirectUri, scopes, state, mockApiPort } = request;
  const url = new URL(
    mockApiPort === undefined
      ? 'https://id.twitch.tv/oauth2/authorize'
      : `http://localhost:${mockApiPort}/auth/authorize`,
  );
  url.searchParams.set('response_type', 'code');
  url.searchParams.set('client_id', clientId);
  url.searchParams.set('redirect_uri', redirectUri);
  url.searchParams.set('scope', scopes.join(' '));
  url.searchParams.set('state', state);
  // Without it Twitch sends somebody who granted before straight back, as whichever account the browser is signed in.
  url.searchParams.set('force_verify', 'true');
  return url.href;
}
