// Which relay is meant and with what right: from options, the environment and the .env file of this folder. Secrets go
// from here into the client and nowhere else.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readEnvironment } from '../config/environment.ts';
import { CliFailure, usageError } from './failure.ts';
import type { CliIo } from './io.ts';

/** As the options of the program give it. */
export interface ConnectionOptions {
  readonly url?: string | undefined;
  readonly adminKey?: string | undefined;
  /** A file, or `-` for the standard input. */
  readonly adminKeyFile?: string | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  readonly clientSecretFile?: string | undefined;
}

export interface Connection {
  /** Without a slash at the end. */
  readonly url: string;
  readonly adminKey: string | undefined;
  readonly service: { readonly clientId: string; readonly clientSecret: string } | undefined;
}

const defaultPort = '8080';

/** The environment with the gaps filled from `.env`, as the relay itself reads it. */
export function environmentOf(io: Pick<CliIo, 'cwd' | 'env'>): CliIo['env'] {
  const read = readEnvironment(io);
  return read.ok ? read.env : io.env;
}

/** Options win over the environment, which wins over the file. Reads nothing that was not asked for. */
export async function resolveConnection(io: CliIo, options: ConnectionOptions): Promise<Connection> {
  if (options.adminKeyFile === '-' && options.clientSecretFile === '-') {
    throw usageError('--admin-key-file and --client-secret-file cannot both read the standard input.');
  }
  const env = environmentOf(io);
  const set = (name: string) => env[name]?.trim() || undefined;
  const adminKey = await secretOf(io, '--admin-key-file', options.adminKeyFile, options.adminKey);
  const secret = await secretOf(io, '--client-secret-file', options.clientSecretFile, options.clientSecret);
  const clientId = options.clientId?.trim() || set('RELAY_CLIENT_ID');
  const clientSecret = secret ?? set('RELAY_CLIENT_SECRET');
  for (const given of [clientId, clientSecret, adminKey, set('ADMIN_API_KEY')]) refuseUnsendable(given);
  return {
    url: urlOf(options.url ?? set('RELAY_URL') ?? ownUrl(set('PORT'))),
    adminKey: adminKey ?? set('ADMIN_API_KEY'),
    service: clientId && clientSecret ? { clientId, clientSecret } : undefined,
  };
}

/** PORT=0 takes any free port, so nobody can know it. */
const ownUrl = (port: string | undefined) =>
  `http://127.0.0.1:${port !== undefined && isPort(port) ? port : defaultPort}`;
const isPort = (text: string) => /^[1-9]\d{0,4}$/u.test(text) && Number(text) <= 65_535;

function urlOf(text: string): string {
  const given = text.trim();
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (!url || !/^https?:$/u.test(url.protocol)) {
    throw usageError(
      'The address of the relay must begin with http:// or https://.',
      'Example: --url http://127.0.0.1:8080',
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw usageError('Credentials do not belong into the address of the relay.', 'Use ADMIN_API_KEY.');
  }
  return `${url.origin}${url.pathname.replace(/\/+$/u, '')}`;
}

/** What no header can carry. It is not repeated. */
function refuseUnsendable(secret: string | undefined): void {
  if (secret === undefined || /^[\u0020-\u007e]*$/u.test(secret)) return;
  throw usageError(
    'A key, id or secret holds characters that cannot be sent.',
    'Copy it again: letters, digits and signs of ASCII are all that it has.',
  );
}

async function secretOf(
  io: CliIo,
  option: string,
  file: string | undefined,
  given: string | undefined,
): Promise<string | undefined> {
  if (file === undefined) return given?.trim() || undefined;
  const text = file === '-' ? await io.stdin.text() : await contentOf(io, option, file);
  const secret = text.trim();
  if (secret === '' || /\s/u.test(secret)) {
    const from = file === '-' ? 'The standard input' : file;
    throw usageError(`${from} must hold the secret and nothing else (${option}).`);
  }
  return secret;
}

async function contentOf(io: CliIo, option: string, file: string): Promise<string> {
  try {
    return await readFile(join(file.startsWith('/') ? '' : io.cwd, file), 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    throw usageError(`${file} cannot be read (${why}).`, `Give ${option} a file that holds the secret.`);
  }
}

export const noAdminKey = (): CliFailure =>
  new CliFailure(
    'unauthorized',
    'This needs the admin key, and none was given.',
    "Set ADMIN_API_KEY (the relay's .env has it), or use --admin-key-file FILE.",
  );

export const noService = (): CliFailure =>
  new CliFailure(
    'unauthorized',
    'This needs the credentials of a service account, and none were given.',
    'Set RELAY_CLIENT_ID and RELAY_CLIENT_SECRET ("eventsub-relay services create NAME" makes them).',
  );
