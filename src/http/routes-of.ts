// Which routes an app really has: for whoever documents them or walks them, so that none is forgotten. Reads, changes
// nothing.

export interface Route {
  /** Upper case. */
  readonly method: string;
  /** As mounted: `/v1/interests/:id`. */
  readonly path: string;
}

/** Every route once, in the order of mounting. What stands before routes (middleware) is none. */
export function routesOf(app: { readonly routes: readonly Route[] }): Route[] {
  const found = new Map<string, Route>();
  for (const { method, path } of app.routes) {
    if (method !== 'ALL') found.set(`${method} ${path}`, { method, path });
  }
  return [...found.values()];
}
