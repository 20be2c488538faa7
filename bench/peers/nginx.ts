/** nginx with one worker, as fast as its configuration makes it: sendfile, open files kept, no log. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { findProgram } from '../harness/requirement.js';
import type { Roles } from '../harness/role.js';
import { checkSite, type SiteFolder } from '../harness/site.js';
import { type StartedServer, type WebLoad, webSide } from '../harness/web-side.js';

function configuration(folder: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${folder}/nginx/${name};`,
  );
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx/pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 100000000;
  open_file_cache max=1000 inactive=60s;
  open_file_cache_valid 60s;
  default_type application/octet-stream;
${temporary.join('\n')}
  server { listen 127.0.0.1:${port}; root ${folder}; }
}
`;
}

/** A port that was free a moment ago: nginx does not say which one it was given. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Tries until the server answers rightly, or has ended. */
async function untilItServes(url: string, site: SiteFolder, hasEnded: () => boolean): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await checkSite(url, site);
      return;
    } catch (error) {
      if (attempt === 100 || hasEnded()) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function startNginx(site: SiteFolder): Promise<StartedServer> {
  const port = await freePort();
  const { folder } = site;
  await mkdir(join(folder, 'nginx'));
  const file = join(folder, 'nginx/nginx.conf');
  await writeFile(file, configuration(folder, port));
  // As root its worker changes to a user that may not see the folder.
  const asRoot = process.getuid?.() === 0 ? ['-g', 'user root;'] : [];
  const command = findProgram('nginx') ?? '/usr/sbin/nginx';
  const child = spawn(command, ['-c', file, '-p', folder, ...asRoot], { stdio: ['ignore', 'ignore', 'inherit'] });
  let hasEnded = false;
  const exited = new Promise<void>((resolve) => {
    const onEnd = () => {
      hasEnded = true;
      resolve();
    };
    child.once('exit', onEnd);
    child.once('error', onEnd);
  });
  const stop = async () => {
    if (!hasEnded) child.kill('SIGTERM');
    await exited;
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilItServes(url, site, () => hasEnded);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

export const roles: Roles = { side: (load: WebLoad) => webSide(load, startNginx) };
