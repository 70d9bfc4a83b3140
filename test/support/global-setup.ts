// Once per run: makes the template database that every test's own is copied from, and says what the run covers.
import { browserPath } from './browser.ts';
import { prepareTemplate } from './test-database.ts';

export default async function setup(): Promise<void> {
  const startedAt = Date.now();
  const coverage = await prepareTemplate();
  const browser =
    browserPath() ?? 'none found; the client in a browser is not tested (install chromium, or set CHROMIUM)';
  console.log(`browser: ${browser}`);
  console.log(`database: ${coverage} (template ready after ${Date.now() - startedAt} ms)`);
}
