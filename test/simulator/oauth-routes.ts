// Owns id.twitch.tv: validate, token (every grant), revoke, authorize and the device flow. It must never touch a
// subscription. https://dev.twitch.tv/docs/authentication/
import { setTimeout as pause } from 'node:timers/promises';
import type { TokenPair } from './accounts.ts';
import type { Core } from './core.ts';
import type { AuthOperation } from './faults.ts';
import type { Route, SimAnswer, SimRequest } from './http-door.ts';

type Grant = (core: Core, request: SimRequest, hasSecret: boolean) => SimAnswer;

/** id.twitch.tv answers {status, message}, without the `error` that Helix adds. */
function refusal(status: number, message: string): SimAnswer {
  return { status, body: { status, message } };
}

function tokens(pair: TokenPair): SimAnswer {
  return {
    status: 200,
    body: {
      access_token: pair.accessToken,
      expires_in: pair.expiresInSeconds,
      refresh_token: pair.refreshToken,
      scope: pair.scopes,
      token_type: 'bearer',
    },
  };
}

const NEEDS_SECRET = refusal(403, 'invalid client secret');

const GRANTS: Readonly<Record<string, Grant>> = {
  refresh_token: (core, request, hasSecret) => {
    const pair = core.accounts.refresh(request.params.get('refresh_token') ?? '', hasSecret);
    return pair ? tokens(pair) : refusal(400, 'Invalid refresh token');
  },
  authorization_code: (core, request, hasSecret) => {
    if (!hasSecret) return NEEDS_SECRET;
    const pair = core.accounts.redeemCode(
      request.params.get('code') ?? '',
      request.params.get('redirect_uri') ?? '',
    );
    return pair ? tokens(pair) : refusal(400, 'Invalid authorization code');
  },
  client_credentials: (core, _request, hasSecret) => {
    if (!hasSecret) return NEEDS_SECRET;
    const granted = core.accounts.grantApp();
    return {
      status: 200,
      body: {
        access_token: granted.token,
        expires_in: core.settings.accessTokenSeconds,
        token_type: 'bearer',
      },
    };
  },
  'urn:ietf:params:oauth:grant-type:device_code': (core, request) => {
    const outcome = core.accounts.redeemDeviceCode(request.params.get('device_code') ?? '');
    if (typeof outcome !== 'string') return tokens(outcome);
    return refusal(
      400,
      { pending: 'authorization_pending', denied: 'access_denied', invalid: 'invalid device code' }[outcome],
    );
  },
};

function token(core: Core, request: SimRequest): SimAnswer {
  if (request.params.get('client_id') !== core.settings.clientId) return refusal(400, 'invalid client');
  const secret = request.params.get('client_secret');
  if (secret !== undefined && secret !== core.settings.clientSecret) return NEEDS_SECRET;
  const grant = GRANTS[request.params.get('grant_type') ?? ''];
  return grant ? grant(core, request, secret !== undefined) : refusal(400, 'invalid grant type');
}

function validate(core: Core, request: SimRequest): SimAnswer {
  const found = request.bearer === null ? undefined : core.accounts.findToken(request.bearer);
  if (!found) return refusal(401, 'invalid access token');
  request.record.userId = found.userId;
  const user = found.userId === null ? undefined : core.accounts.userOrStranger(found.userId);
  return {
    status: 200,
    body: {
      client_id: core.settings.clientId,
      ...(user ? { login: user.login, user_id: user.id } : {}),
      scopes: found.scopes,
      expires_in: Math.max(0, Math.floor((found.expiresAtMs - Date.now()) / 1_000)),
    },
  };
}

function revoke(core: Core, request: SimRequest): SimAnswer {
  if (request.params.get('client_id') !== core.settings.clientId)
    return refusal(404, 'client does not exist');
  const given = request.params.get('token') ?? '';
  request.record.userId = core.accounts.findToken(given)?.userId ?? null;
  return core.accounts.revokeToken(given) ? { status: 200 } : refusal(400, 'Invalid token');
}

/** Answers at once as the signed-in user would: there is no consent page. */
function authorize(core: Core, request: SimRequest): SimAnswer {
  const redirectUri = request.params.get('redirect_uri') ?? '';
  const allowed = core.settings.redirectUris;
  if (request.params.get('client_id') !== core.settings.clientId) return refusal(400, 'invalid client');
  if (!URL.canParse(redirectUri) || (allowed !== undefined && !allowed.includes(redirectUri))) {
    return refusal(400, 'Parameter redirect_uri does not match registered URI');
  }
  if (request.params.get('response_type') !== 'code') return refusal(400, 'Missing or invalid response_type');
  const target = new URL(redirectUri);
  const state = request.params.get('state');
  const scopeText = request.params.get('scope') ?? '';
  const user = core.accounts.consentingUser();
  if (core.accounts.denyNextConsent || !user) {
    core.accounts.denyNextConsent = false;
    target.searchParams.set('error', 'access_denied');
    target.searchParams.set('error_description', 'The user denied you access');
  } else {
    const scopes = scopeText.split(' ').filter((scope) => scope !== '');
    const granted = core.accounts.consented(scopes);
    target.searchParams.set('code', core.accounts.issueCode(user.id, granted, redirectUri));
    target.searchParams.set('scope', granted.join(' '));
  }
  if (state !== undefined) target.searchParams.set('state', state);
  return { status: 302, headers: { location: target.href } };
}

function device(core: Core, request: SimRequest): SimAnswer {
  if (request.params.get('client_id') !== core.settings.clientId) return refusal(400, 'invalid client');
  const scopes = (request.params.get('scopes') ?? '').split(' ').filter((scope) => scope !== '');
  const issued = core.accounts.issueDeviceCode(scopes);
  return {
    status: 200,
    body: {
      device_code: issued.deviceCode,
      expires_in: issued.expiresInSeconds,
      interval: core.settings.deviceIntervalSeconds,
      user_code: issued.userCode,
      verification_uri: `https://www.twitch.tv/activate?device-code=${issued.userCode}`,
    },
  };
}

const usualRefusal: Readonly<Record<AuthOperation, string>> = {
  token: 'Invalid refresh token',
  validate: 'invalid access token',
  revoke: 'Invalid token',
  device: 'invalid client',
};

export function oauthRoutes(core: Core): readonly Route[] {
  const withFaults = (on: AuthOperation, handler: typeof token): Route['handler'] => {
    return async (request) => {
      const hang = core.faults.take('auth_hangs', (spec) => spec.on === on);
      if (hang) await pause(hang.ms, undefined, { ref: false });
      const fault = core.faults.take('auth', (spec) => spec.on === on);
      if (!fault) return handler(core, request);
      const fallback = fault.status >= 500 ? 'Service Unavailable' : usualRefusal[on];
      return refusal(fault.status, fault.message ?? fallback);
    };
  };
  const both = (name: string): string[] => [`/oauth2/${name}`, `/auth/${name}`];
  return [
    { method: 'POST', paths: both('token'), operation: 'token', handler: withFaults('token', token) },
    {
      method: 'GET',
      paths: both('validate'),
      operation: 'validate',
      handler: withFaults('validate', validate),
    },
    {
      method: 'POST',
      paths: both('revoke'),
      operation: 'revoke',
      handler: withFaults('revoke', revoke),
    },
    {
      method: 'GET',
      paths: both('authorize'),
      operation: 'authorize',
      handler: (request) => authorize(core, request),
    },
    {
      method: 'POST',
      paths: both('device'),
      operation: 'device',
      handler: withFaults('device', device),
    },
  ];
}
