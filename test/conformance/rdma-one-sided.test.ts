import { registerRegions } from './regions.js';
import { transports } from './transports.js';

// In a process of its own: the first context that opens rdma decides how UCX is started.
registerRegions({ ...transports.rdma, name: 'rdma, one-sided', contextOptions: { rdmaOneSided: true } });
