import { filesModule } from './files-module.js';
import { HookChain } from './hooks.js';
import { pagesModule } from './pages-module.js';
import { rdmaModule } from './rdma-module.js';

/** The modules of this server, in the order in which their hooks are called. */
export const modules = new HookChain([rdmaModule, pagesModule, filesModule]);
