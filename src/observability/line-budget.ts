// How many lines of the log anybody on the network may cause by knocking: so many a minute, and then how many were left
// out. Pure but for the time, which is passed in.

export interface LineBudget {
  /** The number left out since the last line, or undefined if this one is to be left out as well. */
  take(now: number): number | undefined;
}

const minuteMs = 60_000;

export function lineBudget(perMinute: number): LineBudget {
  let windowAt = -Infinity;
  let written = 0;
  let leftOut = 0;
  return {
    take(now) {
      // A clock that was set back begins a new window too.
      if (now - windowAt >= minuteMs || now < windowAt) {
        windowAt = now;
        written = 0;
      }
      if (written >= perMinute) {
        leftOut++;
        return undefined;
      }
      written++;
      const before = leftOut;
      leftOut = 0;
      return before;
    },
  };
}
