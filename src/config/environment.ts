// Where settings come from: the process environment, and a .env file for what it does not set. Also how problems are
// told to the person who starts the relay.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { nearestNames } from '../domain/edit-distance.ts';
import type { ConfigProblem, Environment } from './config.ts';
import { requiredVariables } from './config.ts';
import { keyCommand, variables } from './variables.ts';

const settingNames: readonly string[] = Object.keys(variables);

export interface EnvironmentSource {
  /** The folder in which `.env` is looked for. */
  readonly cwd: string;
  /** Wins over the file. */
  readonly env: Environment;
}

export type EnvironmentResult =
  | {
      readonly ok: true;
      readonly env: Environment;
      readonly file: string | undefined;
      /** Names in the file that are no settings, as sentences for people. */
      readonly warnings: readonly string[];
    }
  /** There is no file and the environment lacks required variables, or it cannot be read; the message says what to do. */
  | { readonly ok: false; readonly message: string };

/** The environment with the gaps filled from `.env`. */
export function readEnvironment({ cwd, env }: EnvironmentSource): EnvironmentResult {
  const path = join(cwd, '.env');
  let content: string | undefined;
  try {
    content = readIfThere(path);
  } catch (error) {
    // A container that mounts a file that is not there makes a folder of it.
    const reason = error instanceof Error ? error.message : String(error);
    return {
      ok: false,
      message: `${path} cannot be read: ${reason}. Make it a file that the relay may read.`,
    };
  }
  if (content !== undefined) {
    const given = Object.entries(env).filter(([, value]) => value !== undefined);
    const written = parseEnv(content);
    const warnings = Object.keys(written).flatMap(strangeName);
    return { ok: true, env: { ...written, ...Object.fromEntries(given) }, file: path, warnings };
  }
  const missing = requiredVariables.filter((name) => !env[name]?.trim());
  if (missing.length === 0) return { ok: true, env, file: undefined, warnings: [] };
  return { ok: false, message: missingFileMessage(path, missing) };
}

/** What the command line, the compose file and the scripts read from the same file. */
const othersNames = /^(RELAY|POSTGRES|COMPOSE|NGROK|DEPLOY)_/;

/** Other programs may read the same file, so a name that is not ours is a hint and no fault. */
function strangeName(name: string): string[] {
  if (settingNames.includes(name) || othersNames.test(name)) return [];
  const [nearest = ''] = nearestNames(name, settingNames, 1);
  return [`${name} in .env is not a setting of the relay; did you mean ${nearest}?`];
}

/** All problems as lines for a terminal. */
export function renderProblems(problems: readonly ConfigProblem[]): string {
  const lines = problems.map(({ variable, expected, fix, got }) => {
    const given = got === undefined ? '' : `, got ${JSON.stringify(got)}`;
    return `  ${variable}: expected ${expected}${given}\n    ${fix}`;
  });
  const count = problems.length === 1 ? 'A setting is' : `${problems.length} settings are`;
  return `${count} missing or wrong:\n${lines.join('\n')}`;
}

function missingFileMessage(path: string, missing: readonly string[]): string {
  return [
    `There is no ${path}, and the environment does not set ${missing.join(', ')}.`,
    'Make the file from the example and fill it in:',
    '  cp .env.example .env',
    'This prints the two keys that only the relay needs to know:',
    `  ${keyCommand}`,
  ].join('\n');
}

function readIfThere(path: string): string | undefined {
  try {
    // Some editors begin a file with a mark that would become part of the first name.
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
