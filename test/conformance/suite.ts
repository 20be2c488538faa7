import { registerEstablishment } from './establishment.js';
import { registerObjects } from './objects.js';
import type { TestedTransport } from './transports.js';

/** The whole of the messaging checklist, over one transport. */
export function registerSuite(transport: TestedTransport): void {
  registerObjects(transport);
  registerEstablishment(transport);
}
