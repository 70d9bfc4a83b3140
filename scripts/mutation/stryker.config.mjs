// Mutation testing of the pure decisions: which files are mutated, and how their tests are run. `npm run mutation`, or
// `npm run mutation -- --mutate FILE` for one of them. Ends with 1 below 90 %.
/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: [
    'src/domain/cursor.ts',
    'src/domain/plan.ts',
    'src/ingest/dedupe.ts',
    'src/log/reader.ts',
    'src/upstream/twitch/session-state.ts',
    'src/upstream/twitch/verdict.ts',
    'src/delivery/gateway/connection-state.ts',
    'src/delivery/gateway/connection-transitions.ts',
    'src/delivery/webhooks/verdict.ts',
    'src/delivery/webhooks/egress/address-ranges.ts',
    'src/delivery/webhooks/egress/address-verdict.ts',
    'src/delivery/webhooks/egress/egress-guard.ts',
    'src/delivery/webhooks/egress/embedded-ipv4.ts',
  ],
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'scripts/mutation/vitest.config.ts' },
  coverageAnalysis: 'perTest',
  // One beside others on two cores; `--concurrency 2` where nobody else is at work.
  concurrency: 1,
  // The JavaScript API of the compiler, which would rewrite and check, is gone with TypeScript 7. Nothing here needs it.
  tsconfigFile: 'none',
  disableTypeChecks: false,
  // The tables are built when their modules are loaded, and are half of the decisions.
  ignoreStatic: false,
  warnings: { slow: false },
  ignorePatterns: ['bench', 'dist', 'docs'],
  tempDirName: 'data/mutation',
  reporters: ['progress-append-only', 'clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false },
  jsonReporter: { fileName: 'data/mutation.json' },
  thresholds: { high: 95, low: 90, break: 90 },
};
