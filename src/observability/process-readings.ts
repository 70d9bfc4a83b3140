// What the process itself costs, asked of Node when somebody looks. It starts nothing and keeps nothing.
import { performance } from 'node:perf_hooks';
import { cpuUsage, memoryUsage } from 'node:process';
import type { ProcessGauges } from './gauges.ts';

const microsecondsPerSecond = 1_000_000;

export function processReadings(): ProcessGauges {
  const { rss, heapUsed } = memoryUsage();
  const { user, system } = cpuUsage();
  return {
    residentBytes: rss,
    heapUsedBytes: heapUsed,
    cpuSeconds: (user + system) / microsecondsPerSecond,
    loopBusySeconds: performance.eventLoopUtilization().active / 1000,
    startedAtS: performance.timeOrigin / 1000,
  };
}
