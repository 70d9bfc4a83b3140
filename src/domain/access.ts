// Which service may use which bot. Pure.

export interface ServiceAccess {
  readonly accessMode: 'all' | 'restricted';
  /** Those that it may use while `restricted`. */
  readonly botAccountIds: readonly string[];
}

export const mayUse = (service: ServiceAccess, botAccountId: string): boolean =>
  service.accessMode === 'all' || service.botAccountIds.includes(botAccountId);
