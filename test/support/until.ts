// Waiting for a condition, never for a time. Fails with what was waited for.

export interface UntilOptions {
  readonly what?: string;
  readonly timeoutMs?: number;
}

/** Polls until the probe gives something truthy; a probe that throws counts as not yet. */
export async function until<T>(
  probe: () => T | Promise<T>,
  { what = 'the condition', timeoutMs = 10_000 }: UntilOptions = {},
): Promise<Exclude<T, false | undefined | null>> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false)
        return value as Exclude<T, false | undefined | null>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline)
      throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${String(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
