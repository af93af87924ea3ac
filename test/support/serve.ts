import { existsSync } from 'node:fs';
import { BuildService } from '../../plugin/kbuild/service.js';

/** Is the service of an object tree: prints its folder, or nothing where there is none, and ends with its input, or at once at SIGTERM. */
const service = BuildService.open(process.argv[2]);
await service?.ready;
process.stdout.write(`${service !== undefined && existsSync(service.folder) ? service.folder : ''}\n`);
process.once('SIGTERM', () => service?.stop());
process.stdin.resume().once('end', () => service?.end());
