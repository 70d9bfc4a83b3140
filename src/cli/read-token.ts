// A token of Twitch from where no history and no list of processes shows it: the standard input, the environment or a
// hidden prompt.
import { z } from 'zod';
import { askSecret } from './ask.ts';
import type { Flag } from './command.ts';
import { usageError } from './failure.ts';
import type { CliIo } from './io.ts';

export const tokenFlags: readonly Flag[] = [
  ['--token-env <variable>', 'the environment variable that holds the access token'],
  ['--refresh-token-env <variable>', 'the one that holds the refresh token'],
];
export const tokenOptions = z.object({
  tokenEnv: z.string().optional(),
  refreshTokenEnv: z.string().optional(),
});
export type TokenOptions = z.infer<typeof tokenOptions>;

export interface Token {
  readonly access_token: string;
  readonly refresh_token?: string;
}

const written = z.object({ access_token: z.string(), refresh_token: z.string().nullish() });

export async function readToken(io: CliIo, options: TokenOptions): Promise<Token> {
  if (options.tokenEnv !== undefined) {
    const refresh = options.refreshTokenEnv;
    return tokenOf(
      fromEnvironment(io, options.tokenEnv),
      refresh === undefined ? undefined : fromEnvironment(io, refresh),
    );
  }
  if (options.refreshTokenEnv !== undefined) {
    throw usageError('--refresh-token-env needs --token-env.');
  }
  if (!io.stdin.isTTY) return parseToken(await io.stdin.text());
  return tokenOf(await askSecret(io, 'Access token'), await askSecret(io, 'Refresh token (empty: none)'));
}

/** Two lines, or JSON. Exported for its table of tests. */
export function parseToken(text: string): Token {
  const trimmed = text.trim();
  if (trimmed.startsWith('{')) {
    const parsed = written.safeParse(jsonOf(trimmed));
    if (!parsed.success) throw usageError('The JSON on the standard input has no access_token.');
    return tokenOf(parsed.data.access_token, parsed.data.refresh_token ?? undefined);
  }
  const [access = '', refresh, ...more] = trimmed.split(/\s+/u);
  if (more.length > 0)
    throw usageError('Expected at most two lines: the access token and the refresh token.');
  return tokenOf(access, refresh);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw usageError('The standard input begins like JSON and is none.');
  }
}

function fromEnvironment(io: CliIo, name: string): string {
  const value = io.env[name]?.trim();
  // What was given may be the token itself, so it is not repeated.
  if (!value)
    throw usageError(
      'The environment variable named for the token is not set.',
      'Name a variable, not the token.',
    );
  return value;
}

function tokenOf(access: string, refresh: string | undefined): Token {
  // Chat clients write tokens this way.
  const accessToken = access.trim().replace(/^oauth:/iu, '');
  const refreshToken = refresh?.trim();
  if (accessToken === '') {
    throw usageError(
      'There is no token on the standard input.',
      'Example: eventsub-relay bots import < token.txt',
    );
  }
  return refreshToken
    ? { access_token: accessToken, refresh_token: refreshToken }
    : { access_token: accessToken };
}
