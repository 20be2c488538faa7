import { registerSuite } from './suite.js';
import { transports } from './transports.js';

registerSuite(transports.rdma);
