// A real browser, if the machine has one: opens a page and ends with the test. Where to find it: CHROMIUM, or the usual
// places. `REQUIRE_BROWSER=1` (the CI sets it) turns its absence from "left out" into a failure.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** Headless, and silent towards everybody but the pages that a test opens. */
export const browserArguments: readonly string[] = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const browserPath = (): string | undefined =>
  process.env['CHROMIUM'] ?? places.find((path) => existsSync(path));

export const browserRequired = (): boolean => process.env['REQUIRE_BROWSER'] === '1';

export interface Browser extends AsyncDisposable {
  readonly child: ChildProcess;
}

export async function openBrowser(url: string): Promise<Browser> {
  const path = browserPath();
  if (!path)
    throw new Error('There is no Chromium here: install the package chromium, or set CHROMIUM to one.');
  const profile = await mkdtemp(join(tmpdir(), 'relay-browser-'));
  const child = spawn(path, [...browserArguments, `--user-data-dir=${profile}`, url], { stdio: 'ignore' });
  return {
    child,
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGKILL');
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}
