// Whatever a bench opens is closed again, the newest first, however it ends.

export interface BenchDeps {
  /** Progress, for a person. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What is to be done at the end, in the order of the opening. */
export type Closing = (() => Promise<unknown>)[];

/** Undefined when it was interrupted. Rejects when it could not be done. Nothing is left behind in either case. */
export async function cleaningUp<T>(
  { say, signal }: BenchDeps,
  work: (closing: Closing) => Promise<T>,
): Promise<T | undefined> {
  const closing: Closing = [];
  try {
    return await work(closing);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    for (let close = closing.pop(); close; close = closing.pop()) {
      await close().catch((error: unknown) => say(`cleaning up: ${String(error)}`));
    }
  }
}
