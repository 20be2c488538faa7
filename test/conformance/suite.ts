import { registerBatching } from './batching.js';
import { registerCancelling } from './cancelling.js';
import { registerClosing } from './closing.js';
import { registerEstablishment } from './establishment.js';
import { registerFlowControl } from './flow-control.js';
import { registerLargeMessages } from './large-messages.js';
import { registerLoss } from './loss.js';
import { registerMessages } from './messages.js';
import { registerObjects } from './objects.js';
import { registerOptions } from './options.js';
import { registerReceipts } from './receipts.js';
import { registerReconnect } from './reconnect.js';
import { registerRegions } from './regions.js';
import { registerSuspending } from './suspending.js';
import type { TestedTransport } from './transports.js';

/** The whole of the messaging checklist, over one transport. */
export function registerSuite(transport: TestedTransport): void {
  registerObjects(transport);
  registerEstablishment(transport);
  registerClosing(transport);
  registerReceipts(transport);
  registerCancelling(transport);
  registerFlowControl(transport);
  registerSuspending(transport);
  registerMessages(transport);
  registerLargeMessages(transport);
  registerBatching(transport);
  registerOptions(transport);
  registerLoss(transport);
  registerReconnect(transport);
  registerRegions(transport);
}
