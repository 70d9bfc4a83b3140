// What can be said without the relay: the settings of this folder, and whether a secret would travel in the open. Pure
// but for reading .env.
import { loadConfig } from '../../config/config.ts';
import { readEnvironment } from '../../config/environment.ts';
import type { Connection } from '../connection.ts';
import type { CliIo } from '../io.ts';
import { finding, type Finding } from './finding.ts';

/** One finding for each setting that is wrong. Without a .env nothing is wrong: the relay may run elsewhere. */
export function localConfiguration(io: Pick<CliIo, 'cwd' | 'env'>): Finding[] {
  const environment = readEnvironment(io);
  if (!environment.ok) {
    return environment.message.startsWith('There is no')
      ? [finding('configuration', 'ok', 'no .env in this folder, so there is nothing to look at here')]
      : [finding('configuration', 'failed', environment.message)];
  }
  const loaded = loadConfig(environment.env);
  const from = environment.file ?? 'the environment';
  const strange = environment.warnings
    .filter((text) => !text.startsWith('RELAY_'))
    .map((text) => finding('configuration', 'warning', text));
  if (loaded.ok) return [finding('configuration', 'ok', `complete in ${from}`), ...strange];
  const wrong = loaded.problems.map(({ variable, expected, got, fix }) => {
    const given = got === undefined ? '' : `, got ${JSON.stringify(got)}`;
    return finding('configuration', 'failed', `${variable}: expected ${expected}${given}`, fix);
  });
  return [...wrong, ...strange];
}

/** Plain HTTP is for this machine and for networks that nobody else listens to. */
export function openTransport({ url }: Connection): Finding[] {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || isNear(hostname)) return [];
  return [
    finding(
      'transport',
      'warning',
      `${url} is plain http: keys and secrets can be read on the way`,
      'Put the relay behind a proxy that speaks https, or reach it through a tunnel.',
    ),
  ];
}

const isNear = (hostname: string) =>
  /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[::1\]|\[f[cd])/u.test(hostname) ||
  hostname.endsWith('.local') ||
  !/[.:]/u.test(hostname);
