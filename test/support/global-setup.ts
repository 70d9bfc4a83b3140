// Once per run: makes the template database that every test's own is copied from, says what the run covers, and removes
// what outlived the test files.
import { browserPath } from './browser.ts';
import { openRun, prepareTemplate } from './test-database.ts';

export default async function setup(): Promise<() => Promise<void>> {
  const startedAt = Date.now();
  const closeRun = await openRun();
  const coverage = await prepareTemplate();
  const browser =
    browserPath() ?? 'none found; the client in a browser is not tested (install chromium, or set CHROMIUM)';
  console.log(`browser: ${browser}`);
  console.log(`database: ${coverage} (template ready after ${Date.now() - startedAt} ms)`);
  return closeRun;
}
